"""Leeds Sports Pose and its extension (Johnson and Everingham, BMVC 2010 and CVPR 2011).

One person a picture, 14 keypoints. Nobody labelled boxes: the protocol of "boxes from the annotation" is
the tight box around the labelled keypoints, and `box` is filled with it. There are no areas.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posewright.datasets.arrays import array_of, read_arrays
from posewright.datasets.matlab import read_matlab
from posewright.datasets.records import DataError
from posewright.scene import ABSENT, HIDDEN, SEEN, Floats, Person, Scene, box_around
from posewright.skeleton import LSP

TERMS = "LSP-extended, train split (Johnson and Everingham 2011; pictures for research only)"
"""What a network that learnt from the extension says on its card."""
TRAIN = 1000
"""Of LSP's 2,000 pictures the first 1,000 are for training (its README)."""


def read(root: Path, split: str, *, pictures: bool = True) -> list[Scene]:
    """Read LSP or LSP-extended from a folder, one scene a picture, without decoding any.

    Two forms, told apart by their files. `{split}_joints.npz` beside `{split}.zip` (pictures are named
    `{split}.zip/im00001.jpg`): x, y, visible; keypoints that are not visible are absent, the others seen;
    coordinates are kept. `joints.mat` beside `images/`: see `read_original`. pictures: False asks for no archive,
    which scoring can do without. Raises DataError.
    """
    root = Path(root)
    if (root / f"{split}_joints.npz").exists():
        return _read_arrays(root / f"{split}_joints.npz", root / f"{split}.zip", pictures)
    if (root / "joints.mat").exists():
        return read_original(root, split)
    raise DataError(f"{root}: holds neither {split}_joints.npz (with {split}.zip) nor joints.mat (with images/)")


def read_original(root: Path, split: str) -> list[Scene]:
    """Read the original `joints.mat` beside `images/`; which of the two data sets it is, its shape tells.

    LSP, 3 x 14 x N: the third row says *hidden*, and hidden keypoints have a place too. MATLAB's first
    pixel is 1, so x and y lose 1. Split: the first 1,000 train, the rest test.
    LSP-extended, 14 x 3 x N: the third column says *visible*; keypoints without it are absent. Its labels
    come from a web page and reach down to 0, so x and y are kept. Split: all are train.
    Raises DataError.
    """
    path = root / "joints.mat"
    joints = array_of(read_matlab(path), "joints", str(path), (None, None, None)).astype(np.float64)
    if joints.shape[:2] == (3, 14):
        joints = joints.transpose(2, 1, 0) - (1, 1, 0)
        visible = np.where(joints[..., 2] > 0, HIDDEN, SEEN)
        chosen = {"train": range(len(joints))[:TRAIN], "test": range(len(joints))[TRAIN:]}
        digits = 4
    elif joints.shape[:2] == (14, 3):
        joints = joints.transpose(2, 0, 1)
        visible = np.where(joints[..., 2] > 0, SEEN, ABSENT)
        chosen = {"train": range(len(joints))}
        digits = 5
    else:
        raise DataError(
            f"{path}: joints: must be (3, 14, N) for LSP or (14, 3, N) for its extension, not {joints.shape}"
        )
    if split not in chosen:
        raise DataError(f"{path}: no split {split!r}; there is {' and '.join(chosen)}")
    _check_flags(joints[..., 2], str(path))
    return [
        _scene(root / "images" / f"im{i + 1:0{digits}d}.jpg", joints[i, :, :2], visible[i], None) for i in chosen[split]
    ]


def _read_arrays(path: Path, archive: Path, pictures: bool) -> list[Scene]:
    arrays = read_arrays(path)
    joints = array_of(arrays, "joints", str(path), (None, 14, 3)).astype(np.float64)
    names = array_of(arrays, "name", str(path), (len(joints),), text=True).tolist()
    sizes = array_of(arrays, "size_hw", str(path), (len(joints), 2)).astype(int)
    _check_flags(joints[..., 2], str(path))
    if pictures:
        _check_archive(archive, names)
    if (sizes < 1).any():
        raise DataError(f"{path}: size_hw: row {np.argwhere(sizes < 1)[0][0]} is no height and width of a picture")
    visible = np.where(joints[..., 2] > 0, SEEN, ABSENT)
    return [
        _scene(archive / name, xy, seen, (int(w), int(h)))
        for name, xy, seen, (h, w) in zip(names, joints[..., :2], visible, sizes, strict=True)
    ]


def _scene(image: Path, xy: Floats, visible: NDArray[np.int_], size: tuple[int, int] | None) -> Scene:
    labelled = visible > ABSENT
    keypoints = np.where(labelled[:, None], xy, np.nan)
    box = box_around(keypoints) if labelled.any() else None
    person = Person(keypoints, visible.astype(np.uint8), box=box, id=image.stem)
    return Scene(image, LSP, (person,), size, id=image.stem)


def _check_flags(flags: Floats, where: str) -> None:
    wrong = np.argwhere((flags != 0) & (flags != 1))
    if len(wrong):
        person, keypoint = wrong[0]
        raise DataError(f"{where}: joints: person {person}, keypoint {keypoint}: the flag must be 0 or 1")


def _check_archive(archive: Path, names: Iterable[str]) -> None:
    try:
        with zipfile.ZipFile(archive) as pictures:
            missing = sorted(set(names) - set(pictures.namelist()))
    except FileNotFoundError:
        raise DataError(f"{archive}: no such file; it holds the pictures") from None
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{archive}: not a zip archive: {error}") from None
    if missing:
        raise DataError(f"{archive}: lacks {len(missing)} of the pictures, {missing[0]} among them")
