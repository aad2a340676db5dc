"""PASCAL VOC's silhouettes, OCHuman's own form, FLIC and Penn Action, each with its quirks."""

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from posewright import datasets
from posewright.datasets import DataError, flic, ochuman, penn_action, voc
from posewright.metrics import mask_iou
from posewright.scene import ABSENT, HIDDEN, SEEN, Cause
from posewright.skeleton import COCO, FLIC, PENN_ACTION

HUMAN, CHAIR, EDGE = (192, 128, 128), (192, 0, 0), (224, 224, 192)


@pytest.fixture
def voc_folder(tmp_path):
    """Two people beside each other, a void line between them, and a chair."""
    for name in ("ImageSets/Segmentation", "SegmentationClass", "SegmentationObject", "JPEGImages"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/val.txt").write_text("one\n\n")
    classes, objects = np.zeros((2, 4, 8, 3), np.uint8)
    classes[1:3, 1:3], classes[1:3, 4:6], classes[:, 3], classes[0, 7] = HUMAN, HUMAN, EDGE, CHAIR
    objects[1:3, 1:3], objects[1:3, 4:6], objects[:, 3], objects[0, 7] = (128, 0, 0), (0, 128, 0), EDGE, (128, 128, 0)
    for folder, labels in (("SegmentationClass", classes), ("SegmentationObject", objects)):
        cv2.imwrite(str(tmp_path / folder / "one.png"), labels[..., ::-1])
    return tmp_path


def test_voc(voc_folder):
    (scene,) = datasets.read(voc_folder, "val")
    assert (scene.id, scene.size, scene.image) == ("one", (8, 4), voc_folder / "JPEGImages" / "one.jpg")
    people = [person for person in scene.people if not person.crowd]
    assert sorted(person.box.tolist() for person in people) == [[1, 1, 3, 3], [4, 1, 6, 3]]
    assert [person.area for person in people] == [4, 4]
    assert not any(person.labelled.any() for person in scene.people)
    (void,) = (person for person in scene.people if person.crowd)
    assert void.mask.sum() == 4
    assert mask_iou([scene], [scene])["IoU"] == 1


def test_voc_of_class_numbers_without_objects(voc_folder):
    (voc_folder / "SegmentationObject" / "one.png").unlink()
    numbers = np.zeros((4, 8), np.uint8)
    numbers[1:3, 1:3] = numbers[1:3, 4:6] = 15
    numbers[:, 3], numbers[0, 7] = 255, 9
    cv2.imwrite(str(voc_folder / "SegmentationClass" / "one.png"), numbers)
    (scene,) = voc.read(voc_folder, "val")
    assert [(person.crowd, person.area) for person in scene.people] == [(False, 8), (True, 4)]


def test_voc_says_what_is_wrong(voc_folder):
    with pytest.raises(DataError, match=r"train.txt: no such file; it lists the pictures of the split"):
        voc.read(voc_folder, "train")
    cv2.imwrite(str(voc_folder / "SegmentationObject" / "one.png"), np.zeros((4, 9, 3), np.uint8))
    with pytest.raises(DataError, match=r"one.png: is \(9, 4\), the classes' picture \(8, 4\)"):
        voc.read(voc_folder, "val")
    (voc_folder / "SegmentationClass" / "one.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"one.png: the labels cannot be read"):
        voc.read(voc_folder, "val")


@pytest.fixture
def ochuman_content():
    names = ["head", "neck", *reversed(COCO.keypoints)]
    keypoints = [0] * 3 * len(names)
    for name, triple in {"nose": (4, 5, 1), "left_eye": (6, 5, 2), "left_hip": (7, 9, 3), "neck": (5, 7, 1)}.items():
        keypoints[3 * names.index(name) : 3 * names.index(name) + 3] = triple
    ring = {"outer": [[1, 1, 9, 1, 9, 9, 1, 9]], "inner": [[3, 3, 6, 3, 6, 6, 3, 6]]}
    people = [
        {"bbox": [1, 1, 9, 9], "keypoints": keypoints, "segms": ring, "max_iou": 0.7},
        {"bbox": [2, 2, 12, 12], "keypoints": None, "segms": None, "max_iou": 0.7},
    ]
    image = {"image_id": "000817", "file_name": "000817.jpg", "width": 16, "height": 12, "annotations": people}
    return {"keypoint_names": names, "images": [image], "keypoint_visible": {"missing": 0, "vis": 1}}


def test_ochuman(write, tmp_path, ochuman_content):
    write(ochuman_content, "ochuman.json")
    (tmp_path / "images").mkdir()
    (scene,) = datasets.read(tmp_path, "all")
    assert (scene.id, scene.image, scene.size) == ("000817", tmp_path / "images" / "000817.jpg", (16, 12))
    person, bare = scene.people
    nose, eye, hip = (COCO.index(name) for name in ("nose", "left_eye", "left_hip"))
    assert person.keypoints[[nose, eye, hip]].tolist() == [[4, 5], [6, 5], [7, 9]]
    assert person.visible[[nose, eye, hip]].tolist() == [SEEN, HIDDEN, HIDDEN]
    assert person.cause[[nose, eye, hip]].tolist() == [Cause.SEEN, Cause.SELF, Cause.PERSON]
    assert person.labelled.sum() == 3
    assert (person.visible == ABSENT).sum() == 14
    assert person.box.tolist() == [1, 1, 9, 9]
    assert person.area == person.mask.sum() == 64 - 9
    assert not bare.labelled.any()
    assert bare.mask is None
    assert bare.box.tolist() == [2, 2, 12, 12]


def test_ochuman_splits_and_errors(write, tmp_path, ochuman_content):
    path = write(ochuman_content, "ochuman.json")
    (tmp_path / "val.txt").write_text("000817.jpg\n")
    assert len(ochuman.read(tmp_path, "val")) == 1
    (tmp_path / "test.txt").write_text("000001.jpg\n")
    with pytest.raises(DataError, match=r"test\.txt: names no picture"):
        ochuman.read(tmp_path, "test")
    with pytest.raises(DataError, match=r"train\.txt: no such file; OCHuman's own form has no splits but 'all'"):
        ochuman.read(tmp_path, "train")
    ochuman_content["images"][0]["annotations"][0]["keypoints"][2] = 4
    ochuman_content["images"][0]["annotations"][0]["keypoints"][3 * 18 + 2] = 4
    write(ochuman_content, path.name)
    with pytest.raises(DataError, match="annotation at place 0: keypoints: every third number must be 0 missing"):
        ochuman.read(tmp_path)
    ochuman_content["keypoint_names"][-1] = "chin"
    write(ochuman_content, path.name)
    with pytest.raises(DataError, match="keypoint_names: must name all of COCO's keypoints; nose is not there"):
        ochuman.read(tmp_path)


def flic_file(folder, **changes):
    """Three examples: a good one for training, a bad one, and one of the test set."""
    rows = np.zeros(3, dtype=[(name, object) for name in (
        "filepath", "coords", "torsobox", "imgdims", "istrain", "istest", "isbad", "isunchecked",
        "moviename")])  # fmt: skip
    for i, row in enumerate(rows):
        coords = np.full((2, 29), np.nan)
        coords[:, [0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 16]] = np.arange(22).reshape(2, 11) + 1
        coords[:, 16] = np.nan
        row["filepath"], row["coords"], row["moviename"] = f"film-{i:08d}.jpg", coords, "film"
        row["torsobox"], row["imgdims"] = np.array([11.0, 21, 31, 61]), np.array([480, 720, 3])
        row["istrain"], row["istest"], row["isbad"], row["isunchecked"] = i < 2, i == 2, i == 1, False
        for name, value in changes.items():
            row[name] = value
    savemat(folder / "examples.mat", {"examples": rows})


def test_flic(tmp_path):
    flic_file(tmp_path)
    (scene,) = datasets.read(tmp_path, "train")
    (person,) = scene.people
    assert (scene.skeleton, scene.id, scene.size) == (FLIC, 1, (720, 480))
    assert (scene.image, scene.group) == (tmp_path / "images" / "film-00000000.jpg", "film")
    assert person.keypoints[:3].tolist() == [[0, 11], [1, 12], [2, 13]]
    assert np.isnan(person.keypoints[FLIC.index("nose")]).all()
    assert person.visible.tolist() == [SEEN] * 10 + [ABSENT]
    assert person.box.tolist() == [10, 20, 30, 60]
    assert [scene.id for scene in flic.read(tmp_path, "test")] == [3]
    assert [scene.id for scene in flic.read(tmp_path, "full")] == [1, 2, 3]
    savemat(tmp_path / "tr_plus_indices.mat", {"tr_plus_indices": np.array([[1], [2]])})
    assert [scene.id for scene in flic.read(tmp_path, "plus")] == [1, 2]


def test_flic_says_what_is_wrong(tmp_path):
    flic_file(tmp_path)
    with pytest.raises(DataError, match="no split 'val'; there is train, test, full and plus"):
        flic.read(tmp_path, "val")
    savemat(tmp_path / "tr_plus_indices.mat", {"tr_plus_indices": np.array([[1], [4]])})
    with pytest.raises(DataError, match="tr_plus_indices: must count from 1 to 3"):
        flic.read(tmp_path, "plus")
    flic_file(tmp_path, coords=np.zeros((2, 11)))
    with pytest.raises(DataError, match=r"example 1: coords: must be numbers of the shape \(2, 29\)"):
        flic.read(tmp_path, "full")
    flic_file(tmp_path, torsobox=np.zeros(3))
    with pytest.raises(DataError, match="example 1: torsobox: must be four numbers"):
        flic.read(tmp_path, "full")
    savemat(tmp_path / "examples.mat", {"others": 1})
    with pytest.raises(DataError, match="examples: missing"):
        flic.read(tmp_path, "full")


def penn_file(folder, name, **changes):
    x = np.tile(np.arange(13.0) + 2, (3, 1))
    seen = np.ones((3, 13))
    x[0, 4], seen[0, 4] = 1, 0
    seen[0, 5] = 0
    y = np.where(x == 1, 1, x + 20)
    content = {"x": x, "y": y, "visibility": seen, "train": 1.0, "bbox": np.tile([2.0, 3, 40, 50], (2, 1)),
               "dimensions": [[270, 480, 3]], "nframes": 3, "action": "bowl"} | changes  # fmt: skip
    (folder / "labels").mkdir(exist_ok=True)
    savemat(folder / "labels" / f"{name}.mat", content)


def test_penn_action(tmp_path):
    penn_file(tmp_path, "0001")
    penn_file(tmp_path, "0002", train=-1.0)
    scenes = datasets.read(tmp_path, "train")
    assert [scene.id for scene in scenes] == ["0001/000001", "0001/000002", "0001/000003"]
    assert {scene.group for scene in scenes} == {"0001"}
    assert next(scene.id for scene in penn_action.read(tmp_path, "test")) == "0002/000001"
    first, last = scenes[0], scenes[2]
    assert (first.skeleton, first.size) == (PENN_ACTION, (480, 270))
    assert first.image == tmp_path / "frames" / "0001" / "000001.jpg"
    (person,) = first.people
    assert person.keypoints[0].tolist() == [1, 21]
    assert np.isnan(person.keypoints[4]).all()
    assert person.visible[:7].tolist() == [SEEN, SEEN, SEEN, SEEN, ABSENT, HIDDEN, SEEN]
    assert person.box.tolist() == [1, 2, 39, 49]
    assert last.people[0].box is None


def test_penn_action_says_what_is_wrong(tmp_path):
    with pytest.raises(DataError, match="holds no labels of videos"):
        penn_action.read(tmp_path, "train")
    with pytest.raises(DataError, match="no split 'val'; there is train and test"):
        penn_action.read(tmp_path, "val")
    penn_file(tmp_path, "0001", train=0.0)
    with pytest.raises(DataError, match="train: must be 1 or -1"):
        penn_action.read(tmp_path, "train")
    penn_file(tmp_path, "0001", visibility=np.full((3, 13), 2.0))
    with pytest.raises(DataError, match="visibility: must be 0 or 1"):
        penn_action.read(tmp_path, "train")
    penn_file(tmp_path, "0001", y=np.zeros((3, 12)))
    with pytest.raises(DataError, match=r"y: must have the shape \(3, 13\)"):
        penn_action.read(tmp_path, "train")
