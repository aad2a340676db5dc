import zipfile

import numpy as np
import pytest
from scipy.io import savemat

from posewright.datasets import DataError, lsp
from posewright.scene import ABSENT, HIDDEN, SEEN
from posewright.skeleton import LSP


@pytest.fixture
def archive(tmp_path, lsp_joints):
    """A folder in the zip and npz form."""

    def save(**change):
        arrays = {
            "joints": lsp_joints,
            "name": np.array(["im2.jpg", "im9.jpg"]),
            "size_hw": np.array([[90, 80], [70, 60]]),
        }
        np.savez(tmp_path / "train_joints.npz", **(arrays | change))
        with zipfile.ZipFile(tmp_path / "train.zip", "w") as pictures:
            for name in ("im2.jpg", "im9.jpg"):
                pictures.writestr(name, b"never decoded")
        return tmp_path

    return save


def test_the_zip_and_npz_form(archive, lsp_joints):
    root = archive()
    first, second = lsp.read(root, "train")
    assert (first.image, first.size, first.id) == (root / "train.zip" / "im2.jpg", (80, 90), "im2")
    assert first.skeleton is second.skeleton is LSP
    person = first.people[0]
    assert person.visible.tolist() == [SEEN] * 3 + [ABSENT] + [SEEN] * 10
    assert np.isnan(person.keypoints[3]).all()
    np.testing.assert_array_equal(np.delete(person.keypoints, 3, 0), np.delete(lsp_joints[0, :, :2], 3, 0))
    rest = np.delete(lsp_joints[0, :, :2], 3, 0)
    assert person.box.tolist() == [*rest.min(0), *rest.max(0)]


def test_lsp_counts_from_one_and_says_hidden(tmp_path, lsp_joints):
    joints = np.concatenate([lsp_joints] * 501)
    joints[0, :, 2] = 0
    joints[0, 5, 2] = 1
    savemat(tmp_path / "joints.mat", {"joints": joints.transpose(2, 1, 0)})
    train, test = lsp.read(tmp_path, "train"), lsp.read(tmp_path, "test")
    assert (len(train), len(test)) == (1000, 2)
    assert train[0].image == tmp_path / "images" / "im0001.jpg"
    assert test[-1].image == tmp_path / "images" / "im1002.jpg"
    person = train[0].people[0]
    np.testing.assert_array_equal(person.keypoints, joints[0, :, :2] - 1)
    assert person.visible.tolist() == [SEEN] * 5 + [HIDDEN] + [SEEN] * 8
    with pytest.raises(DataError, match="no split 'val'; there is train and test"):
        lsp.read(tmp_path, "val")


def test_the_extension_keeps_its_pixels_and_says_visible(tmp_path, lsp_joints):
    savemat(tmp_path / "joints.mat", {"joints": lsp_joints.transpose(1, 2, 0)})
    scenes = lsp.read(tmp_path, "train")
    assert [scene.image.name for scene in scenes] == ["im00001.jpg", "im00002.jpg"]
    np.testing.assert_array_equal(scenes[1].people[0].keypoints, lsp_joints[1, :, :2])
    assert scenes[0].people[0].visible[3] == ABSENT


def test_nobody_visible_has_no_box(archive, lsp_joints):
    lsp_joints[1] = 0
    assert lsp.read(archive(joints=lsp_joints), "train")[1].people[0].box is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joints": np.zeros((2, 13, 3))}, r"joints: must have the shape \(any, 14, 3\), not \(2, 13, 3\)"),
        ({"joints": np.full((2, 14, 3), np.nan)}, r"joints: nan at \(0, 0, 0\); all must be finite"),
        ({"joints": np.full((2, 14, 3), 2.0)}, "person 0, keypoint 0: the flag must be 0 or 1"),
        ({"joints": np.full((2, 14, 3), "x")}, "joints: must be numbers, not <U1"),
        ({"name": np.array(["im2.jpg", "im3.jpg"])}, "train.zip: lacks 1 of the pictures, im3.jpg among them"),
        ({"name": np.array(["im2.jpg"])}, r"name: must have the shape \(2\), not \(1,\)"),
        ({"size_hw": np.zeros((2, 2))}, "size_hw: row 0 is no height and width"),
        ({"name": np.array([{}, {}])}, "not an npz file of plain arrays"),
    ],
)
def test_wrong_arrays_are_one_clear_line(archive, change, message):
    root = archive(**change)
    with pytest.raises(DataError, match=message):
        lsp.read(root, "train")


def test_missing_and_damaged_files(archive, tmp_path):
    with pytest.raises(DataError, match=r"holds neither test_joints.npz \(with test.zip\) nor joints.mat"):
        lsp.read(tmp_path, "test")
    root = archive()
    (root / "train.zip").write_bytes(b"PK no zip")
    with pytest.raises(DataError, match="not a zip archive"):
        lsp.read(root, "train")
    (root / "train.zip").unlink()
    with pytest.raises(DataError, match="no such file; it holds the pictures"):
        lsp.read(root, "train")
    (root / "train_joints.npz").unlink()
    (root / "joints.mat").write_bytes(b"MATLAB 5.0 but cut")
    with pytest.raises(DataError, match="not a MATLAB file"):
        lsp.read(root, "train")
    savemat(root / "joints.mat", {"other": np.zeros(3)})
    with pytest.raises(DataError, match="joints: missing"):
        lsp.read(root, "train")
    savemat(root / "joints.mat", {"joints": np.zeros((4, 4, 4))})
    with pytest.raises(DataError, match=r"must be \(3, 14, N\) for LSP or \(14, 3, N\)"):
        lsp.read(root, "train")
