import builtins

import numpy as np
import pytest
from scipy.io import savemat

from posewright.datasets import DataError, mpii
from posewright.scene import ABSENT, HIDDEN, SEEN, aim
from posewright.skeleton import MPII


@pytest.fixture
def record():
    """One person as HRNet's JSON keeps them: the first keypoint is missing."""
    joints = [[10.0 * k + 1, 5.0 * k + 1] for k in range(16)]
    joints[0] = [-1.0, -1.0]
    return {"image": "a.jpg", "joints": joints, "joints_vis": [0] + [1] * 15, "center": [101.0, 51.0], "scale": 2.0}


@pytest.fixture
def arrays(record):
    """The same person as the h5 form keeps them, keypoint 2 hidden."""
    part = np.array([record["joints"]])
    part[0, 0] = 0
    visible = np.ones((1, 16))
    visible[0, [0, 2]] = 0
    return {"imgname": np.array(["a.jpg"]), "part": part, "visible": visible,
            "center": np.array([[101.0, 51.0 + 15 * 2.0]]), "scale": np.array([2.0 * 1.25])}  # fmt: skip


def _check(scenes, root, hidden=()):
    (scene,) = scenes
    assert (scene.image, scene.id, scene.size, scene.skeleton) == (root / "a.jpg", "a", None, MPII)
    (person,) = scene.people
    assert np.isnan(person.keypoints[0]).all()
    np.testing.assert_allclose(person.keypoints[1:], [[10 * k, 5 * k] for k in range(1, 16)], atol=1e-12)
    expected = [ABSENT] + [SEEN] * 15
    for k in hidden:
        expected[k] = HIDDEN
    assert person.visible.tolist() == expected
    np.testing.assert_allclose(person.box, [100 - 200, 80 - 200, 100 + 200, 80 + 200])
    assert person.area is None


def test_hrnets_json(write, record, tmp_path):
    write([record, record | {"image": "b.jpg"}, record], "annot/valid.json")
    first, second = mpii.read(tmp_path, "valid")
    assert [person.id for person in first.people] == [0, 2]
    assert [person.id for person in second.people] == [1]
    write([record], "annot/valid.json")
    _check(mpii.read(tmp_path, "valid"), tmp_path)


def test_aiming_at_the_box_is_hrnets_crop(write, record, tmp_path):
    write([record], "annot/valid.json")
    warp = aim(mpii.read(tmp_path, "valid")[0].people[0].box, (256, 256))
    side = 1.25 * 200 * record["scale"]
    corners = warp.points(np.array([[100 - side / 2, 80 - side / 2], [100 + side / 2, 80 + side / 2]]))
    assert np.ptp(corners, axis=0).tolist() == pytest.approx([256, 256])


@pytest.mark.parametrize("names", ["codes", "texts", "bytes"])
def test_the_h5_form(arrays, tmp_path, names):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "valid.h5", "w") as file:
        for name, value in arrays.items():
            file[name] = value if name != "imgname" else {
                "codes": np.array([[ord(letter) for letter in "a.jpg"] + [0] * 11], np.float64),
                "texts": ["a.jpg"],
                "bytes": np.array([b"a.jpg"]),
            }[names]  # fmt: skip
    _check(mpii.read(tmp_path, "valid"), tmp_path, hidden=[2])


def test_the_same_arrays_in_an_npz_and_head_boxes(arrays, tmp_path):
    np.savez(tmp_path / "valid.npz", **arrays)
    _check(mpii.read(tmp_path, "valid"), tmp_path, hidden=[2])
    corners = np.array([[[11.0, 12], [21, 32]]])
    np.savez(tmp_path / "heads.npz", headboxes=corners)
    savemat(
        tmp_path / "gt_valid.mat", {"headboxes_src": np.concatenate([corners, corners]).transpose(1, 2, 0)[..., :1]}
    )
    assert mpii.read(tmp_path, "valid", heads="heads.npz")[0].people[0].head.tolist() == [10, 11, 20, 31]
    np.savez(tmp_path / "heads.npz", headboxes=np.zeros((2, 2, 2)))
    with pytest.raises(DataError, match=r"headboxes: must have the shape \(1, 2, 2\)"):
        mpii.read(tmp_path, "valid", heads="heads.npz")


def test_head_boxes_beside_the_annotations_are_found(arrays, tmp_path):
    (tmp_path / "annot").mkdir()
    np.savez(tmp_path / "annot" / "valid.npz", **arrays)
    (tmp_path / "images").mkdir(exist_ok=True)
    assert mpii.read(tmp_path, "valid")[0].people[0].head is None
    savemat(tmp_path / "annot" / "gt_valid.mat", {"headboxes_src": np.array([[[11.0], [12]], [[21], [32]]])})
    assert mpii.read(tmp_path, "valid")[0].people[0].head.tolist() == [10, 11, 20, 31]


def test_without_h5py_the_command_is_named(tmp_path, monkeypatch):
    (tmp_path / "valid.h5").touch()
    load = builtins.__import__

    def refuse(name, *rest, **more):
        if name == "h5py":
            raise ImportError(name)
        return load(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(DataError, match=r'needs h5py: pip install "posewright\[mpii\]"'):
        mpii.read(tmp_path, "valid")


def _structs(entries):
    """A MATLAB structure array, 1 x N: what savemat makes of a record array whose fields hold anything."""
    array = np.empty((1, len(entries)), [(name, object) for name in entries[0]])
    for place, entry in enumerate(entries):
        array[0, place] = tuple(entry.values())
    return array


@pytest.fixture
def original(tmp_path):
    """The authors' .mat: two people, one person, a test picture, and a picture without anybody."""

    def person(x, visible):
        points = [
            {"x": x, "y": 20.0, "id": 6, "is_visible": visible},
            {"x": x + 1, "y": 30.0, "id": 9, "is_visible": []},
        ]
        return {"x1": 3, "y1": 4, "x2": 13, "y2": 24, "scale": 1.5, "objpos": {"x": 101, "y": 51},
                "annopoints": {"point": _structs(points)}}  # fmt: skip

    def picture(name, people, video=()):
        return {"image": {"name": name}, "annorect": _structs(people) if people else [], "vididx": video}

    test = {"scale": 2.0, "objpos": {"x": 11, "y": 21}}
    pictures = [
        picture("two.jpg", [person(11.0, 1), person(51.0, 0)], 7),
        picture("one.jpg", [person(11.0, "1")]),
        picture("test.jpg", [test]),
        picture("none.jpg", []),
    ]
    apart = np.empty(4, object)
    apart[:] = [np.array([2.0]), np.array([1.0]), np.array([1.0]), np.array([])]
    release = {"annolist": _structs(pictures), "img_train": np.array([1, 1, 0, 1.0]), "single_person": apart}
    savemat(tmp_path / "mpii_human_pose_v1_u12_1.mat", {"RELEASE": release})
    return tmp_path


def test_the_original_mat(original):
    two, one, none = mpii.read(original, "train")
    assert [scene.image.name for scene in (two, one, none)] == ["two.jpg", "one.jpg", "none.jpg"]
    assert [scene.group for scene in (two, one, none)] == [7, None, None]
    assert none.people == ()
    first, second = two.people
    assert first.keypoints[6].tolist() == [10, 19]
    assert first.keypoints[9].tolist() == [11, 29]
    assert (first.visible[6], first.visible[9], first.visible.sum()) == (SEEN, SEEN, 4)
    assert (second.visible[6], second.visible[9]) == (HIDDEN, SEEN)
    assert first.head.tolist() == [2, 3, 12, 23]
    assert first.box.tolist() == [100 - 150, 72.5 - 150, 100 + 150, 72.5 + 150]
    assert one.people[0].visible[6] == SEEN
    (test,) = mpii.read(original, "test")
    assert not test.people[0].labelled.any()
    assert test.people[0].head is None
    assert test.people[0].box.tolist() == [10 - 200, 50 - 200, 10 + 200, 50 + 200]
    assert [[p.id for p in scene.people] for scene in mpii.read(original, "train", separated=True)] == [[1], [0], []]
    with pytest.raises(DataError, match="no split 'val'; there is train and test"):
        mpii.read(original, "val")


def test_a_mat_of_something_else(tmp_path):
    savemat(tmp_path / "mpii_human_pose_v1_u12_1.mat", {"RELEASE": np.zeros(3)})
    with pytest.raises(DataError, match="RELEASE: must be a structure"):
        mpii.read(tmp_path, "train")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joints": [[1, 2]] * 15}, "person at place 0: joints: must be 16 lists of 2 numbers"),
        ({"joints_vis": [2] * 16}, "joints_vis: must be 16 numbers out of 0, 1"),
        ({"joints": [[None, 2]] * 16}, "joints: null where joints_vis is 1"),
        ({"scale": -1}, "scale: must be a number, 0 or more, not"),
        ({"center": [1]}, "center: must be 2 numbers, not 1"),
        ({"image": 3}, "image: must be a text, not 3"),
    ],
)
def test_wrong_records_are_one_clear_line(write, record, tmp_path, change, message):
    write([record | change], "valid.json")
    with pytest.raises(DataError, match=message):
        mpii.read(tmp_path, "valid")
