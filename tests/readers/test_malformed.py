"""Whatever happens to a file, reading it gives scenes or one clear DataError, never anything else."""

import copy
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posewright import datasets
from posewright.datasets import DataError, coco, lsp
from posewright.scene import Scene
from posewright.skeleton import AIC, COCO, JHMDB, MPII, POSETRACK

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("keypoints", [1.0] * 50, "annotation 11: keypoints: must be 51 numbers, not 50"),
        ("keypoints", [float("inf")] * 51, "annotation 11: keypoints: number 0 is inf; all must be finite"),
        ("keypoints", ["1"] * 51, "annotation 11: keypoints: number 0 is '1'"),
        ("keypoints", [10**400] * 51, "keypoints: number 0 is a number out of range"),
        ("keypoints", [1, 1, 3] * 17, "visibility of keypoint 0 is 3; it must be one of 0, 1, 2"),
        ("keypoints", 7, "annotation 11: keypoints: must be a list, not 7"),
        ("image_id", 99, "annotation 11: image_id: 99 is the id of no image in this file"),
        ("category_id", 99, "annotation 11: category_id: 99 is the id of no category"),
        ("bbox", [0, 0, -3, 1], "annotation 11: bbox: width and height must not be negative, but are -3 and 1"),
        ("area", -1, "annotation 11: area: must be a number, 0 or more, not -1"),
        ("area", "big", "annotation 11: area: must be a number"),
        ("iscrowd", 2, "annotation 11: iscrowd: must be a whole number from 0 to 1, not 2"),
        ("posewright", {"points3d": [[1, 2]]}, "annotation 11: posewright: points3d: must be 17 lists of 3"),
        ("posewright", {"cause": [9] * 17}, "annotation 11: posewright: cause: must be 17 numbers out of 0, 1"),
    ],
)
def test_file_record_and_field_are_named(write, coco_content, tmp_path, field, value, message):
    coco_content["annotations"][0][field] = value
    path = write(coco_content)
    with pytest.raises(DataError, match=message) as error:
        coco.read(tmp_path, "x")
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("field", ["image_id", "category_id"])
def test_a_missing_field_is_named(write, coco_content, tmp_path, field):
    del coco_content["annotations"][0][field]
    write(coco_content)
    with pytest.raises(DataError, match=f"annotation 11: {field}: missing"):
        coco.read(tmp_path, "x")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON: Expecting value in line 1, column 1"),
        (b'{"images": [', "not JSON: Expecting value in line 1"),
        (b"\xff\xfe\x00\xd8", "not JSON"),
        (b"[" * 100_000, "not JSON: RecursionError"),
        (b"[1]", r"must be an object \{...\}, not a list of 1"),
        (b"{}", "images: missing"),
        (b'{"categories": [], "images": [], "annotations": []}', "categories: no category has keypoints"),
        (b'{"categories": 3}', "categories: must be a list, not 3"),
        (gzip.compress(b'{"images": []}', mtime=0)[:-9], "the gzip file is cut off or damaged"),
        (gzip.compress(b'{"images": []}', mtime=0)[:12] + b"\x00\xff" * 30, "gzip file is cut off or damaged"),
    ],
)
def test_what_is_no_annotation_file(tmp_path, data, message):
    (tmp_path / "annotations.json").write_bytes(data)
    with pytest.raises(DataError, match=message):
        coco.read(tmp_path, "x")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        coco.read(tmp_path, "x", annotations="none.json")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        coco.read(tmp_path, "x", annotations="folder.json")


def test_a_picture_twice(write, coco_content, tmp_path):
    coco_content["images"][1]["id"] = 7
    write(coco_content)
    with pytest.raises(DataError, match="image 7: id: stands twice"):
        coco.read(tmp_path, "x")


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([[1, 2, 3]], "segmentation: polygon 0 must be at least three x, y pairs, not a list of 3"),
        ({"size": [48, 64], "counts": [5]}, "the runs must be lengths that sum to 3072"),
        ({"size": [48, 64], "counts": [-5, 3077]}, "the runs must be lengths"),
        ({"size": [4, 4], "counts": [16]}, r"size: must be the picture's height and width \[48, 64\]"),
        ({"size": [48, 64], "counts": "\x01"}, "does not belong into packed run lengths"),
        ({"size": [48, 64], "counts": "o"}, "end too early"),
        ("text", "must be an object"),
    ],
)
def test_wrong_masks(write, coco_content, tmp_path, segmentation, message):
    coco_content["annotations"][0]["segmentation"] = segmentation
    write(coco_content)
    with pytest.raises(DataError, match=message):
        coco.read(tmp_path, "x", masks=True)


def _paths(value, path=()):
    """Every place in nested lists and objects."""
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from _paths(value[key], (*path, key))


def _content(skeleton, **more) -> dict:
    return {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 8, "height": 8, "posewright": {"id": "n", "camera": {
            "K": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "R": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "t": [0, 0, 0],
            "distortion": [0, 0, 0, 0, 0]}}}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 4, 5], "area": 9, "iscrowd": 0,
                         "keypoints": [1, 2, 1] * len(skeleton), "bbox_head": [1, 1, 2, 2], "track_id": 0,
                         "segmentation": [[1, 1, 5, 1, 5, 5]], "posewright": {"id": "x", "score": 0.5}} | more],
        "categories": [{"id": 1, "name": "person", "keypoints": list(skeleton.keypoints),
                        "skeleton": (skeleton.limb_indices + 1).tolist()}],
    }  # fmt: skip


_AIC = [{"image_id": "a", "keypoint_annotations": {"h": [1, 2, 1] * 14}, "human_annotations": {"h": [1, 2, 3, 4]}}]
_MPII = [{"image": "a.jpg", "joints": [[1, 2]] * 16, "joints_vis": [1] * 16, "center": [5, 5], "scale": 1.0}]
_RUNS = {"size": [8, 8], "counts": [10, 20, 34]}
_FILES = {
    "coco:mine/annotations.json": _content(COCO),
    "coco:runs/annotations.json": _content(COCO, segmentation=_RUNS),
    "coco:packed/annotations.json": _content(COCO, segmentation={"size": [8, 8], "counts": ":d0R1"}),
    "aic:aic/annotations.json": _AIC,
    "aic:converted/aic_x.json": _content(AIC),
    "mpii:mpii/x.json": _MPII,
    "jhmdb:jhmdb/Sub1_x.json": _content(JHMDB),
    "posetrack:posetrack/annotations/x/a.json": _content(POSETRACK),
}
_JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([10**400, -(10**30), 2**63, 1e300, -0.0]),
    st.floats(), st.text(max_size=5), st.just([]), st.just({}), st.lists(st.integers(-2, 2), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip


def _refusal(read) -> str | None:
    """The one line with which a reader refuses a file, or None where it takes it."""
    try:
        scenes = read()
    except DataError as error:
        return str(error)
    for person in (person for scene in scenes for person in scene.people):
        assert np.isfinite(person.keypoints[person.labelled]).all()
        assert person.visible is None or (person.visible[~person.labelled] == 0).all()
    return None


def _read(name: str, folder: Path) -> list[Scene]:
    return coco.read(folder, "x", masks=True) if name == "coco" else datasets.read(f"{name}:{folder}", "x")


def _read_or_refuse(name: str, folder: Path) -> None:
    line = _refusal(lambda: _read(name, folder))
    assert line is None or (str(folder) in line and "\n" not in line)


@pytest.mark.parametrize("file", _FILES)
def test_every_file_is_valid_before_it_is_damaged(tmp_path, file):
    name, _, path = file.partition(":")
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(json.dumps(_FILES[file]))
    folder = tmp_path / Path(path).parts[0]
    assert len(_read(name, folder)) == 1


@pytest.mark.filterwarnings("ignore::posewright.datasets.records.DataWarning")
@pytest.mark.parametrize("file", _FILES)
@FUZZ
@given(data=st.data())
def test_a_changed_value_never_escapes(tmp_path, file, data):
    name, _, path = file.partition(":")
    content = copy.deepcopy(_FILES[file])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from([path for path in _paths(content) if path] or [()]))
        if not place:
            break
        inside = content
        for key in place[:-1]:
            inside = inside[key]
        if data.draw(st.booleans()):
            inside[place[-1]] = data.draw(_JUNK)
        else:
            del inside[place[-1]]
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(json.dumps(content))
    _read_or_refuse(name, tmp_path / Path(path).parts[0])


@pytest.mark.parametrize("file", _FILES)
@FUZZ
@given(data=st.data())
def test_changed_bytes_never_escape(tmp_path, file, data):
    name, _, path = file.partition(":")
    raw = bytearray(json.dumps(_FILES[file]).encode())
    if data.draw(st.booleans()):
        raw = bytearray(gzip.compress(bytes(raw), mtime=0))
    for _ in range(data.draw(st.integers(0, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    _read_or_refuse(name, tmp_path / Path(path).parts[0])


@FUZZ
@given(data=st.data())
def test_changed_results_never_escape(tmp_path, data):
    content = [{"image_id": 1, "category_id": 1, "keypoints": [1, 2, 0.5] * 16, "score": 0.5, "bbox": [1, 2, 3, 4]}]
    place = data.draw(st.sampled_from([path for path in _paths(content) if path]))
    inside = content
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = data.draw(_JUNK)
    path = tmp_path / "results.json"
    path.write_text(json.dumps(content))
    line = _refusal(lambda: coco.read_results(path, [Scene("a", MPII, id=1)]))
    assert line is None or str(path) in line


@FUZZ
@given(data=st.data())
def test_damaged_arrays_never_escape(tmp_path, data):
    good = tmp_path / "good.npz"
    if not good.exists():
        np.savez(good, joints=np.zeros((1, 14, 3)), name=np.array(["a.jpg"]), size_hw=np.ones((1, 2), int))
        np.savez(tmp_path / "mpii.npz", imgname=np.array(["a"]), part=np.ones((1, 16, 2)), visible=np.ones((1, 16)),
                 center=np.ones((1, 2)), scale=np.ones(1))  # fmt: skip
    for source, read in ((good, lambda: lsp.read(tmp_path, "x")), (tmp_path / "mpii.npz", lambda: datasets.read(
            f"mpii:{tmp_path}", "y"))):  # fmt: skip
        raw = bytearray(source.read_bytes())
        for _ in range(data.draw(st.integers(1, 5))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        (tmp_path / ("x_joints.npz" if source == good else "y.npz")).write_bytes(raw)
        line = _refusal(read)
        assert line is None or str(tmp_path) in line
