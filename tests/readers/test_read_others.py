"""CrowdPose, AI Challenger, JHMDB and PoseTrack18, each with its quirks, and the resolver that finds them."""

import gzip
import json

import numpy as np
import pytest
from scipy.io import savemat

from posewright import datasets
from posewright.datasets import DataError, aic, crowdpose, jhmdb, posetrack
from posewright.scene import ABSENT, HIDDEN, SEEN
from posewright.skeleton import AIC, CROWDPOSE, JHMDB, POSETRACK


def _file(skeleton, *triples, image=(), **more):
    """A file in COCO's format: one picture, one person, keypoints from the first on."""
    keypoints = [value for triple in triples for value in triple] + [0] * 3 * (len(skeleton) - len(triples))
    return {
        "images": [{"id": 5, "file_name": "a.jpg", "width": 64, "height": 48} | dict(image)],
        "annotations": [{"id": 9, "image_id": 5, "category_id": 1, "bbox": [11, 12, 20, 30], "keypoints": keypoints}
                        | more],
        "categories": [{"id": 1, "name": "person", "keypoints": list(skeleton.keypoints)}],
    }  # fmt: skip


def test_crowdpose(write, tmp_path):
    content = _file(CROWDPOSE, (1, 2, 2), (-7, 4, 1), image={"crowdIndex": 1.25})
    content["categories"][0]["keypoints"][-2] = "head"
    content["categories"][0]["skeleton"] = [[16, 14]]
    path = write(content, "json/crowdpose_val.json")
    (tmp_path / "images").mkdir()
    (scene,) = crowdpose.read(tmp_path, "val")
    (person,) = scene.people
    assert (scene.skeleton, scene.image) == (CROWDPOSE, tmp_path / "images" / "a.jpg")
    assert person.keypoints[:2].tolist() == [[1, 2], [-7, 4]]
    assert person.visible.tolist() == [SEEN, HIDDEN] + [ABSENT] * 12
    assert (person.box.tolist(), person.area, person.id, person.crowd) == ([11, 12, 31, 42], None, 9, False)
    assert crowdpose.crowd_index(path) == {5: 1.25}
    with pytest.raises(DataError, match=r"holds no CrowdPose annotations; looked for crowdpose_test.json"):
        crowdpose.read(tmp_path, "test")


def test_crowd_index_must_be_there(write):
    with pytest.raises(DataError, match="image 5: crowdIndex: missing"):
        crowdpose.crowd_index(write(_file(CROWDPOSE)))


@pytest.fixture
def aic_content():
    keypoints = [10, 20, 1, 30, 40, 2] + [0, 0, 3] * 12
    return [{"image_id": "abc", "keypoint_annotations": {"human2": keypoints, "human1": [0, 0, 3] * 14},
             "human_annotations": {"human1": [1, 2, 3, 4], "human2": [5, 6, 70, 80]}}]  # fmt: skip


def test_ai_challengers_own_form(write, aic_content, tmp_path):
    path = write(aic_content, "keypoint_validation_annotations_20170911.json")
    (tmp_path / "keypoint_validation_images_20170911").mkdir()
    (scene,) = aic.read(tmp_path, "validation")
    assert scene.image == tmp_path / "keypoint_validation_images_20170911" / "abc.jpg"
    assert (scene.id, scene.skeleton) == ("abc", AIC)
    first, second = scene.people
    assert first.keypoints[:2].tolist() == [[10, 20], [30, 40]]
    assert first.visible.tolist() == [SEEN, HIDDEN] + [ABSENT] * 12
    assert (first.id, first.box.tolist(), second.id, second.box.tolist()) == (
        "human2",
        [5, 6, 70, 80],
        "human1",
        [1, 2, 3, 4],
    )
    assert not second.labelled.any()
    path.with_name("annotations.json.gz").write_bytes(gzip.compress(json.dumps(aic_content).encode()))
    assert len(aic.read(tmp_path, "any")[0].people) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"keypoint_annotations": {"human1": [1, 2, 0] * 14}},
            "keypoint_annotations: human1: visibility of keypoint 0",
        ),
        ({"keypoint_annotations": {"human1": [1, 2, 1] * 13}}, "human1: must be 42 numbers, not 39"),
        ({"keypoint_annotations": []}, "keypoint_annotations: must be an object"),
        ({"human_annotations": {"human1": [9, 9, 1, 1]}}, "human_annotations: human1: must be x0, y0, x1, y1"),
        ({"image_id": 3}, "image_id: must be a text"),
    ],
)
def test_wrong_ai_challenger_is_one_clear_line(write, aic_content, tmp_path, change, message):
    write([aic_content[0] | change])
    with pytest.raises(DataError, match=message):
        aic.read(tmp_path, "x")
    write("text")
    with pytest.raises(DataError, match="must hold a list of pictures"):
        aic.read(tmp_path, "x")


def test_ai_challenger_in_cocos_form(write, tmp_path):
    write(_file(AIC, (1, 2, 2), (3, 4, 1)), "annotations/aic_val.json")
    person = aic.read(tmp_path, "val")[0].people[0]
    assert person.visible[:3].tolist() == [SEEN, HIDDEN, ABSENT]
    assert person.keypoints[0].tolist() == [1, 2]


def test_jhmdb_in_cocos_form_counts_from_one(write, tmp_path):
    write(_file(JHMDB, (11, 21, 2.0), track_id=4), "Sub2_train.json")
    (scene,) = jhmdb.read(tmp_path, "train", fold=2)
    (person,) = scene.people
    assert (person.keypoints[0].tolist(), person.visible[:2].tolist()) == ([10, 20], [SEEN, ABSENT])
    assert (person.box.tolist(), person.id) == ([10, 11, 30, 41], 4)
    with pytest.raises(DataError, match="no JHMDB annotations"):
        jhmdb.read(tmp_path, "train", fold=1)


def test_jhmdb_as_it_comes(tmp_path, rng):
    positions = rng.uniform(1, 200, (2, 15, 3))
    for video in ("one", "two", "three"):
        (tmp_path / "joint_positions" / "wave" / video).mkdir(parents=True)
        savemat(tmp_path / "joint_positions" / "wave" / video / "joint_positions.mat", {"pos_img": positions})
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "wave_test_split1.txt").write_text("one.avi 1\ntwo.avi 2\nthree.avi 0\n")
    scenes = jhmdb.read(tmp_path, "test")
    assert [scene.id for scene in scenes] == ["wave/two/00001", "wave/two/00002", "wave/two/00003"]
    assert scenes[2].image == tmp_path / "Rename_Images" / "wave" / "two" / "00003.png"
    person = scenes[2].people[0]
    np.testing.assert_array_equal(person.keypoints, positions[:, :, 2].T - 1)
    np.testing.assert_allclose(person.box, [*person.keypoints.min(0), *person.keypoints.max(0)])
    with pytest.raises(DataError, match="no split 'val'; there is train and test"):
        jhmdb.read(tmp_path, "val")
    (tmp_path / "splits" / "wave_test_split1.txt").write_text("one.avi 1\ntwo.avi x\n")
    with pytest.raises(DataError, match=r"wave_test_split1.txt: line 2: must be a video's name and 0, 1 or 2"):
        jhmdb.read(tmp_path, "test")
    with pytest.raises(DataError, match=r"holds no list of videos \*_test_split3.txt"):
        jhmdb.read(tmp_path, "test", fold=3)


def test_posetrack_videos(write, tmp_path):
    head = {"bbox_head": [1, 2, 10, 20], "track_id": 3}
    write(_file(POSETRACK, (1, 2, 1), **head), "annotations/val/b.json")
    content = _file(POSETRACK, (5, 6, 1), image={"is_labeled": True}, **head)
    del content["annotations"][0]["bbox"]
    content["images"].append({"id": 6, "file_name": "c.jpg", "is_labeled": False})
    write(content, "annotations/val/a.json")
    first, second = posetrack.read(tmp_path, "val")
    assert (first.people[0].box, second.people[0].box.tolist()) == (None, [11, 12, 31, 42])
    person = first.people[0]
    assert (person.keypoints[0].tolist(), person.visible[:2].tolist()) == ([5, 6], [SEEN, ABSENT])
    assert (person.head.tolist(), person.id) == ([1, 2, 11, 22], 3)
    assert len(posetrack.read(tmp_path, "x", annotations="annotations/val/b.json")) == 1
    write(_file(POSETRACK, (1, 2, 2)), "annotations/val/a.json")
    with pytest.raises(DataError, match="visibility of keypoint 0 is 2; it must be one of 0, 1"):
        posetrack.read(tmp_path, "val")
    with pytest.raises(DataError, match=r"looked for annotations/test/\*.json, one a video"):
        posetrack.read(tmp_path, "test")


def test_the_resolver_reads_names_and_folders(write, coco_content, aic_content, tmp_path):
    write(coco_content, "mine/annotations.json")
    write(_file(CROWDPOSE), "crowd/json/crowdpose_val.json")
    write(_file(JHMDB, (11, 21, 2)), "actions/Sub1_train.json")
    write(aic_content, "challenge/keypoint_train_annotations_1.json")
    for name, folder, split in (("coco", "mine", "x"), ("crowdpose", "crowd", "val"), ("jhmdb", "actions", "train"),
                                ("aic", "challenge", "train")):  # fmt: skip
        named = datasets.read(f"{name}:{tmp_path / folder}", split)
        guessed = datasets.read(tmp_path / folder, split)
        assert [scene.image for scene in named] == [scene.image for scene in guessed]
        assert named[0].skeleton is guessed[0].skeleton
    assert len(datasets.read(tmp_path / "mine" / "annotations.json", "x")) == 2
    assert len(datasets.read(f"coco:{tmp_path / 'mine' / 'annotations.json'}", "x")) == 2


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("{}", r"not a data set that is known by its files; looked for lsp: \*_joints.npz"),
        ("lsp:{}", "holds neither train_joints.npz"),
        ("nobody:{}", "no such folder, nor NAME:FOLDER with NAME one of lsp, crowdpose, aic, mpii"),
        ("mpii:{}/missing", "missing: no such folder"),
        ("mpii:{}", "holds no MPII annotations; looked for annot/train.json"),
    ],
)
def test_the_resolver_says_what_it_looked_for(tmp_path, where, message):
    with pytest.raises(DataError, match=message):
        datasets.read(where.format(tmp_path), "train")
