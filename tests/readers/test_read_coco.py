import gzip
from dataclasses import replace

import numpy as np
import pytest
from pycocotools import mask as oracle

from posewright import picture
from posewright.datasets import DataError, coco, masks
from posewright.datasets.records import DataWarning, Record
from posewright.geometry import Camera
from posewright.scene import ABSENT, HIDDEN, SEEN, Person, Scene
from posewright.skeleton import COCO, CROWDPOSE, Skeleton

OLD_NUMPY = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""pycocotools itself warns under numpy 2 where it decodes a mask."""


def test_a_file_becomes_scenes(write, coco_content, tmp_path):
    write(coco_content)
    first, second = coco.read(tmp_path, "train")
    assert (first.id, first.size, first.image, first.skeleton) == (7, (64, 48), tmp_path / "a.jpg", COCO)
    assert (second.id, second.people) == (3, ())
    person, crowd = first.people
    np.testing.assert_array_equal(person.keypoints[:3], [[10, 20.5], [30, 40], [np.nan, np.nan]])
    assert person.visible.tolist() == [SEEN, HIDDEN] + [ABSENT] * 15
    assert person.box.tolist() == [1, 2, 31, 42]
    assert (person.area, person.id, person.crowd, person.mask) == (321.5, 11, False, None)
    assert crowd.crowd
    assert not crowd.labelled.any()


def test_the_standard_layout_and_gzip(write, coco_content, tmp_path):
    path = write(coco_content, "annotations/person_keypoints_val2017.json")
    (tmp_path / "val2017").mkdir()
    plain = coco.read(tmp_path, "val")
    assert plain[0].image == tmp_path / "val2017" / "a.jpg"
    path.with_name("person_keypoints_test.json.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert coco.read(tmp_path, "test")[0].people[0].box.tolist() == [1, 2, 31, 42]
    given = coco.read(tmp_path, "any", annotations="annotations/person_keypoints_val2017.json", images="elsewhere")
    assert given[0].image == tmp_path / "elsewhere" / "a.jpg"
    with pytest.raises(DataError, match="person_keypoints_other"):
        coco.read(tmp_path, "other")


def test_leading_folders_that_are_not_here_are_dropped(write, coco_content, tmp_path):
    coco_content["images"][0]["file_name"] = "Set/images/deep/a.jpg"
    coco_content["images"][1]["file_name"] = "Set/images/deep/b.jpg"
    write(coco_content)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.jpg").touch()
    assert [scene.image for scene in coco.read(tmp_path, "x")] == [tmp_path / "deep" / n for n in ("a.jpg", "b.jpg")]


def test_a_skeleton_comes_from_the_names(write, coco_content, tmp_path):
    category = coco_content["categories"][0]
    category["keypoints"] = ["Nose", "Left  Eye", "right-eye"]
    category["skeleton"] = [[1, 2], [3, 1]]
    for annotation in coco_content["annotations"]:
        annotation["keypoints"] = annotation["keypoints"][:9]
    write(coco_content)
    skeleton = coco.read(tmp_path, "x")[0].skeleton
    assert skeleton.keypoints == ("nose", "left_eye", "right_eye")
    assert skeleton.limbs == (("nose", "left_eye"), ("right_eye", "nose"))
    category["skeleton"] = [[0, 1]]
    write(coco_content)
    with pytest.warns(
        DataWarning, match=r"category 1: skeleton: limbs are two numbers from 1 to 3, not \[0, 1\]; none"
    ):
        assert coco.read(tmp_path, "x")[0].skeleton.limbs == ()
    named = Skeleton("mine", ("a", "b", "c"), (("a", "b"),))
    assert coco.read(tmp_path, "x", skeleton=named)[0].skeleton is named


def test_crowdpose_is_known_by_its_head(write, coco_content, tmp_path):
    coco_content["categories"][0]["keypoints"] = [*CROWDPOSE.keypoints[:12], "head", "neck"]
    coco_content["annotations"] = []
    write(coco_content)
    assert coco.read(tmp_path, "x")[0].skeleton is CROWDPOSE


@OLD_NUMPY
def test_masks_are_what_pycocotools_decodes(write, coco_content, tmp_path):
    write(coco_content)
    person, crowd = coco.read(tmp_path, "x", masks=True)[0].people
    for found, annotation in zip((person, crowd), coco_content["annotations"], strict=True):
        runs = oracle.frPyObjects(annotation["segmentation"], 48, 64)
        expected = oracle.decode(runs[0] if isinstance(runs, list) else runs).astype(bool)
        np.testing.assert_array_equal(found.mask, expected)


@OLD_NUMPY
def test_run_lengths_agree_with_pycocotools(rng):
    for _ in range(100):
        h, w = (int(side) for side in rng.integers(1, 40, 2))
        mask = rng.random((h, w)) < rng.choice([0, 0.02, 0.5, 0.99, 1])
        runs = masks.encode(mask)
        packed = oracle.frPyObjects(runs, h, w)
        np.testing.assert_array_equal(oracle.decode(packed).astype(bool), mask)
        text = {"size": [h, w], "counts": packed["counts"].decode()}
        for form in (runs, text):
            np.testing.assert_array_equal(masks.decode(Record("here", {"s": form}), "s", (w, h)), mask)


def _world(rng) -> list[Scene]:
    """Two scenes with everything a person can have."""
    keypoints = rng.uniform(-5, 70, (17, 2))
    keypoints[4] = np.nan
    visible = rng.integers(1, 3, 17).astype(np.uint8)
    visible[4] = ABSENT
    points = rng.normal(0, 500, (17, 3))
    points[4] = np.nan
    full = Person(
        keypoints, visible, box=np.sort(rng.uniform(0, 60, 4)), area=123.456789, points3d=points, id="anna",
        mask=rng.random((24, 40)) < 0.5, head=rng.uniform(0, 9, 4), cause=rng.integers(0, 5, 17).astype(np.uint8),
    )  # fmt: skip
    bare = Person(np.full((17, 2), np.nan), np.zeros(17, np.uint8), id=4, crowd=True)
    predicted = Person(keypoints, scores=rng.random(17), score=0.25)
    camera = Camera(np.diag([900.0, 901.0, 1.0]), np.eye(3), rng.normal(0, 1, 3), rng.normal(0, 0.1, 5))
    pixels = rng.integers(0, 256, (24, 40, 3), dtype=np.uint8)
    return [
        Scene(pixels, COCO, (full, bare), (40, 24), camera, "north"),
        Scene(pixels[::-1].copy(), COCO, (predicted,), (40, 24), None, "south"),
        Scene(pixels, COCO, (), (40, 24)),
    ]


def _same(a: object, b: object) -> bool:
    if a is None or b is None:
        return a is b
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return a == b


def test_what_is_written_is_read_again(rng, tmp_path):
    scenes = _world(rng)
    assert coco.write(scenes, tmp_path) == tmp_path / "annotations.json"
    again = coco.read(tmp_path, "x", masks=True)
    assert [scene.id for scene in again] == ["north", "south", 3]
    for before, after in zip(scenes, again, strict=True):
        np.testing.assert_array_equal(picture.read(after.image), before.image)
        assert (before.size, before.skeleton) == (after.size, after.skeleton)
        for a, b in zip(before.people, after.people, strict=True):
            different = [name for name in vars(a) if name != "id" and not _same(getattr(a, name), getattr(b, name))]
            assert different == []
    for name in ("K", "R", "t", "distortion"):
        np.testing.assert_array_equal(getattr(scenes[0].camera, name), getattr(again[0].camera, name))
    assert [person.id for scene in again for person in scene.people] == ["anna", 4, None]
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == [
        "000001.png", "000002.png", "000003.png", "annotations.json"]  # fmt: skip


@OLD_NUMPY
def test_pycocotools_reads_what_is_written(rng, tmp_path, capsys):
    from pycocotools.coco import COCO as Oracle

    coco.write(_world(rng), tmp_path)
    oracle_file = Oracle(str(tmp_path / "annotations.json"))
    capsys.readouterr()
    annotation = oracle_file.loadAnns(1)[0]
    assert annotation["num_keypoints"] == 16
    np.testing.assert_array_equal(oracle_file.annToMask(annotation), _world(np.random.default_rng(0))[0].people[0].mask)


def test_a_skeleton_of_ones_own_survives(tmp_path):
    own = Skeleton("hand", ("wrist", "thumb"), (("wrist", "thumb"),), (0.1, 0.2), "me")
    coco.write([Scene("a.png", own, (Person(np.ones((2, 2)), np.full(2, SEEN, np.uint8)),))], tmp_path)
    again = coco.read(tmp_path, "x")[0].skeleton
    assert [getattr(again, name) for name in ("name", "keypoints", "limbs", "sigmas", "sigmas_source")] == [
        "hand", ("wrist", "thumb"), (("wrist", "thumb"),), (0.1, 0.2), "me"]  # fmt: skip
    with pytest.raises(ValueError, match="one skeleton"):
        coco.write([Scene("a", own), Scene("b", COCO)], tmp_path)


def test_results_go_and_come_back(rng, tmp_path):
    keypoints = rng.uniform(0, 90, (17, 2))
    keypoints[5] = np.nan
    scores = rng.random(17)
    scores[5] = 0
    people = (Person(keypoints, scores=scores, score=0.75, box=np.array([0.0, 1, 5, 9])), Person(keypoints + 1))
    scenes = [Scene("a", COCO, people, id=7), Scene("b", COCO, (), id="other")]
    coco.write_results(scenes, tmp_path / "out.json.gz")
    found, empty = coco.read_results(tmp_path / "out.json.gz", [replace(scene, people=()) for scene in scenes])
    assert empty.people == ()
    np.testing.assert_array_equal(found.people[0].keypoints, keypoints)
    np.testing.assert_array_equal(found.people[0].scores, scores)
    assert (found.people[0].score, found.people[0].visible, found.people[0].area) == (0.75, None, 40.0)
    assert found.people[0].box.tolist() == [0, 1, 5, 9]
    assert (found.people[1].score, found.people[1].box, found.people[1].id) == (1.0, None, 2)
    corner = np.nanmax(keypoints + 1, axis=0)
    assert found.people[1].area == pytest.approx(corner[0] * corner[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 8}, r"result at place 0: image_id: 8 is the id of no picture"),
        ({"keypoints": [1.0] * 50}, r"keypoints: must be 51 numbers, not 50"),
        ({"keypoints": [float("inf")] * 51}, r"keypoints: number 0 is inf"),
        ({"score": "high"}, r"score: must be a number"),
        ({"bbox": [0, 0, -1, 4]}, r"bbox: width and height must not be negative"),
    ],
)
def test_wrong_results_are_one_clear_line(write, change, message):
    path = write([{"image_id": 7, "category_id": 1, "keypoints": [1, 2, 0.5] * 17, "score": 0.5} | change])
    with pytest.raises(DataError, match=message) as error:
        coco.read_results(path, [Scene("a", COCO, id=7)])
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_results_need_scenes_with_names(write):
    with pytest.raises(ValueError, match="every scene must have one of its own"):
        coco.read_results(write([]), [Scene("a", COCO, id=1), Scene("b", COCO, id=1)])
    with pytest.raises(DataError, match="must be a list of results"):
        coco.read_results(write({}), [])
