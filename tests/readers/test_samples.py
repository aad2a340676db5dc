"""The readers on real files: counts, and one person of each compared with what the file itself says."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as oracle

from posewright import datasets
from posewright.datasets import aic, coco, crowdpose, jhmdb, lsp, mpii, posetrack
from posewright.datasets.records import DataWarning
from posewright.scene import ABSENT, HIDDEN, SEEN
from posewright.skeleton import COCO, H36M


def _raw(path: Path):
    return json.loads(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())


def _people(scenes) -> int:
    return sum(len(scene.people) for scene in scenes)


def _all_pictures_are_there(scenes) -> bool:
    return all(Path(scene.image).is_file() for scene in scenes)


@pytest.mark.parametrize(
    ("folder", "split", "pictures", "people", "skeleton"),
    [
        ("coco", "test", 4, 14, "coco"),
        ("ochuman", "test", 3, 5, "coco"),
        ("crowdpose", "test", 2, 5, "crowdpose"),
        ("aic", "test", 3, 9, "aic"),
        ("mpii", "test", 5, 5, "mpii"),
        ("jhmdb", "test", 3, 3, "jhmdb"),
        ("posetrack18", "val", 3, 14, "posetrack18"),
    ],
)
def test_samples_are_known_by_their_files(data_dir, folder, split, pictures, people, skeleton):
    scenes = datasets.read(data_dir / "samples" / folder, split)
    assert (len(scenes), _people(scenes), scenes[0].skeleton.name) == (pictures, people, skeleton)
    assert _all_pictures_are_there(scenes)
    for scene in scenes:
        if scene.size is not None:
            assert scene.pixels().shape[1::-1] == scene.size
        corner = np.array(scene.pixels().shape[1::-1]) - 0.5
        labelled = np.concatenate([person.keypoints[person.labelled] for person in scene.people])
        assert ((labelled > -0.5) & (labelled < corner)).all(-1).mean() > 0.85


def test_coco(data_dir):
    scene = coco.read(data_dir / "samples" / "coco", "test")[0]
    person = scene.people[0]
    assert (scene.id, scene.size, person.id, person.crowd) == (785, (640, 425), 442619, False)
    assert person.keypoints[0].tolist() == [367, 81]
    assert person.visible[0] == SEEN
    np.testing.assert_allclose(person.box, [280.79, 44.73, 280.79 + 218.7, 44.73 + 346.68])
    assert person.area == 27789.11055


def test_coco_mini(data_dir):
    scenes = coco.read(data_dir / "coco_mini", "all")
    people = [person for scene in scenes for person in scene.people]
    assert (len(scenes), len(people), sum(p.labelled.any() for p in people), sum(p.crowd for p in people)) == (
        70,
        226,
        120,
        6,
    )
    assert _all_pictures_are_there(scenes)
    raw = {entry["id"]: entry for entry in _raw(data_dir / "coco_mini" / "person_keypoints.json")["annotations"]}
    for person in people:
        triples = np.array(raw[person.id]["keypoints"], float).reshape(17, 3)
        np.testing.assert_array_equal(person.visible, triples[:, 2])
        np.testing.assert_array_equal(person.keypoints[person.labelled], triples[triples[:, 2] > 0, :2])


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_masks_of_real_people_are_nearly_those_of_pycocotools(data_dir):
    root = data_dir / "coco_mini"
    raw = {entry["id"]: entry["segmentation"] for entry in _raw(root / "person_keypoints.json")["annotations"]}
    compared = 0
    for scene in coco.read(root, "all", masks=True):
        for person in scene.people:
            runs = oracle.frPyObjects(raw[person.id], scene.size[1], scene.size[0])
            expected = oracle.decode(oracle.merge(runs) if isinstance(runs, list) else runs).astype(bool)
            if person.crowd:
                np.testing.assert_array_equal(person.mask, expected)
            elif expected.sum() > 500:
                compared += 1
                assert (person.mask & expected).sum() / (person.mask | expected).sum() > 0.95
    assert compared > 100


def test_other_files_in_cocos_format(data_dir):
    art = coco.read(data_dir / "samples" / "humanart", "test", field="keypoints_21")
    assert (len(art), _people(art), len(art[0].skeleton)) == (3, 4, 21)
    assert _all_pictures_are_there(art)
    assert art[0].people[0].keypoints[0].tolist() == [715.4305, 970.0197]
    assert coco.read(data_dir / "samples" / "humanart", "test", skeleton=COCO)[0].skeleton is COCO
    with pytest.warns(DataWarning, match=r"skeleton: limbs are two numbers from 1 to 17, not \[0, 1\]"):
        coco.read(data_dir / "samples" / "h36m", "x", annotations="h36m_coco.json")
    human = coco.read(data_dir / "samples" / "h36m", "x", annotations="h36m_coco.json", skeleton=H36M)
    assert (len(human), human[0].people[0].labelled.sum()) == (4, 17)


def test_crowdpose(data_dir):
    scenes = crowdpose.read(data_dir, "val")
    people = {person.id: person for scene in scenes for person in scene.people}
    assert (len(scenes), len(people), sum(person.crowd for person in people.values())) == (2000, 8527, 106)
    assert people[100016].keypoints[5].tolist() == [227, 275]
    assert people[100016].visible.tolist() == [SEEN] * 5 + [HIDDEN] + [SEEN] * 6 + [HIDDEN] * 2
    np.testing.assert_allclose(people[100016].box, [111.1, 134.5, 111.1 + 129.44, 134.5 + 271.82])
    assert all(person.area is None for person in people.values())
    assert crowdpose.crowd_index(data_dir / "crowdpose_val.json.gz")[114203] == 0.76
    for entry in _raw(data_dir / "crowdpose_val.json.gz")["annotations"]:
        assert entry["num_keypoints"] == people[entry["id"]].labelled[:12].sum()


def test_ai_challenger_in_both_forms(data_dir):
    scenes = aic.read(data_dir / "aic_eval", "any")
    assert (len(scenes), _people(scenes)) == (1000, 2761)
    assert scenes[0].id == "d8eeddddcc042544a2570d4c452778b912726720"
    person = scenes[0].people[0]
    assert (person.id, person.box.tolist()) == ("human3", [0, 169, 114, 633])
    assert person.keypoints[3].tolist() == [67, 279]
    assert person.visible.tolist() == [ABSENT] * 3 + [SEEN] * 3 + [ABSENT] * 3 + [SEEN, SEEN, ABSENT, SEEN, SEEN]
    assert scenes[0].people[1].visible[1] == HIDDEN
    predicted = aic.read(data_dir / "aic_eval", "any", annotations="predictions.json.gz")
    assert _people(predicted) == 2761
    person = aic.read(data_dir / "samples" / "aic", "test")[0].people[0]
    assert person.keypoints[:2].tolist() == [[313, 201], [312, 313]]
    assert person.visible[:2].tolist() == [SEEN, HIDDEN]
    assert person.box.tolist() == [279, 55, 492, 599]


def test_mpii_in_two_forms_is_one(data_dir):
    scenes = mpii.read(data_dir / "mpii", "valid", heads="detections.npz")
    assert (len(scenes), _people(scenes)) == (2729, 2958)
    arrays = {scene.image.name: scene for scene in scenes}
    visible = np.array([person.visible for scene in scenes for person in scene.people])
    assert [(visible == value).sum() for value in (ABSENT, HIDDEN, SEEN)] == [3088, 13331 - 3088, 2958 * 16 - 13331]
    for scene in mpii.read(data_dir / "samples" / "mpii", "test"):
        person, same = scene.people[0], arrays[scene.image.name].people[0]
        np.testing.assert_array_equal(person.labelled, same.labelled)
        np.testing.assert_allclose(person.keypoints, same.keypoints, atol=1)
        np.testing.assert_allclose(person.box, same.box, atol=1e-3)
    first = arrays["005808361.jpg"].people[0]
    assert first.keypoints[0].tolist() == [803, 710]
    half = 100 * 4.718488
    center = np.array([965, 339 + 15 * 4.718488])
    np.testing.assert_allclose(first.box, [*(center - half), *(center + half)], atol=1e-3)
    np.testing.assert_allclose(first.head, [913, 78, 1030, 236], atol=1e-3)


def test_jhmdb_loses_one_pixel(data_dir):
    scene = jhmdb.read(data_dir / "samples" / "jhmdb", "test")[0]
    person = scene.people[0]
    np.testing.assert_allclose(person.keypoints[0], [97.851746, 91.59851])
    assert (person.visible.tolist(), person.box.tolist(), person.id) == ([SEEN] * 15, [78, 61, 132, 220], 0)


def test_posetrack_by_video_and_merged(data_dir):
    root = data_dir / "samples" / "posetrack18"
    videos = posetrack.read(root, "val")
    merged = posetrack.read(root, "val", annotations="annotations/test_posetrack18_val.json")
    assert {scene.id: len(scene.people) for scene in videos} == {scene.id: len(scene.people) for scene in merged}
    scene = next(scene for scene in videos if scene.id == 10128340000)
    person = scene.people[0]
    assert scene.image == root / "images" / "val" / "012834_mpii_test" / "000000.jpg"
    assert (person.keypoints[0].tolist(), person.id) == ([401, 530], 0)
    assert person.head.tolist() == [378, 503, 422, 556]
    assert (person.labelled.sum(), person.visible.max(), person.area) == (11, SEEN, None)


def test_lsp_extended(data_dir):
    assert len(lsp.read(data_dir / "lspet", "train")) == 8796
    scenes = lsp.read(data_dir / "lspet", "test")
    scene = scenes[0]
    assert (len(scenes), scene.id, scene.size) == (500, "im00004", (157, 191))
    np.testing.assert_allclose(scene.people[0].keypoints[0], [67.97647059, 150.69411765])
    assert scene.pixels().shape == (191, 157, 3)
    for scene in scenes:
        person = scene.people[0]
        rest = person.keypoints[person.labelled]
        assert person.box.tolist() == [*rest.min(0), *rest.max(0)]
        assert (rest > -0.5).all()
        assert (rest < np.array(scene.size) - 0.5).all()
