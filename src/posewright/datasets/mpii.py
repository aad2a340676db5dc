"""MPII Human Pose (Andriluka et al., CVPR 2014) in its three forms: HRNet's JSON, h5 arrays, the original .mat.

All three count pixels from 1, MATLAB's way, so every coordinate loses 1. A record has no box but a centre and
a scale (the person's height / 200 px). HRNet (and Newell et al. before) move the centre down by 15 scale, so
that the feet are inside, and crop a square of 1.25 x 200 scale; `box` is that square before the factor 1.25, so
that `aim(box, size)` with its own padding of 1.25 makes the published crop. There are no areas.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posewright.datasets.arrays import array_of, read_arrays
from posewright.datasets.documents import read_json
from posewright.datasets.layout import find_file, find_folder
from posewright.datasets.matlab import read_matlab
from posewright.datasets.mpii_original import DOWN, read_original, square
from posewright.datasets.records import DataError, records_in
from posewright.scene import ABSENT, HIDDEN, SEEN, Floats, Person, Scene
from posewright.skeleton import MPII

TERMS = "MPII Human Pose, train split (Andriluka et al. 2014; pictures for research only)"
PADDED = 1.25
"""The factor that is already in the h5 form's scale."""


def read(
    root: Path, split: str, *, annotations: Path | str | None = None, heads: Path | str | None = None,
    separated: bool = False
) -> list[Scene]:  # fmt: skip
    """Read MPII, one scene a picture, without decoding any.

    Looks for `annot/{split}.json`, `.h5`, `.npz` (also without `annot/`), `{split}_mpii.json` and
    `mpii_human_pose_v1_u12_1.mat`, with pictures in `images/`; or takes `annotations`, a file (relative to `root`).
    A person's id is the record's place in the file; in the .mat, the place in the picture.
    heads: a file whose `headboxes_src` (2, 2, N) or `headboxes` (N, 2, 2) are the people's head boxes in the order of
    the records, by default `annot/gt_{split}.mat` where there is one; the .mat has its own. separated: of the .mat
    only people who stand apart, with whom the single-person task is trained. Raises DataError.
    """
    root = Path(root)
    forms = [f"{folder}{split}.{form}" for folder in ("annot/", "") for form in ("json", "h5", "npz")]
    names = [*forms, f"{split}_mpii.json", "mpii_human_pose_v1_u12_1.mat"]
    file = root / annotations if annotations is not None else find_file(root, names, "MPII annotations")
    images = find_folder(root, ["images"])
    if file.suffix == ".mat":
        return read_original(file, images, split, separated)
    if file.suffix in (".h5", ".npz"):
        records = _from_arrays(read_h5(file) if file.suffix == ".h5" else read_arrays(file), str(file))
    else:
        records = _from_json(file)
    if heads is None and annotations is None and (root / f"annot/gt_{split}.mat").exists():
        heads = f"annot/gt_{split}.mat"
    boxes = _heads(root / heads, len(records)) if heads is not None else [None] * len(records)
    people: dict[str, list[Person]] = {}
    for place, ((image, xy, visible, box), head) in enumerate(zip(records, boxes, strict=True)):
        people.setdefault(image, []).append(Person(xy, visible, box=box, head=head, id=place))
    return [Scene(images / name, MPII, tuple(found), id=Path(name).stem) for name, found in people.items()]


Row = tuple[str, Floats, NDArray[np.uint8], Floats]


def _from_json(path: Path) -> list[Row]:
    """Read HRNet's JSON: joints_vis 1 says *labelled*, hidden or not (so *seen* here), 0 absent at (-1, -1)."""
    content = read_json(path)
    if not isinstance(content, list):
        raise DataError(f"{path}: must be a list of people with joints, joints_vis, center, scale and image")
    rows = []
    for record in records_in(content, str(path), "person"):
        xy = record.rows("joints", len(MPII), 2)
        visible = np.where(record.choices("joints_vis", len(MPII), (0, 1)) > 0, SEEN, ABSENT).astype(np.uint8)
        if np.isnan(xy[visible > ABSENT]).any():
            raise record.wrong("joints", "null where joints_vis is 1")
        box = square(record.numbers("center", 2), record.number("scale", low=0.0))
        rows.append((record.text("image"), np.where(visible[:, None] > ABSENT, xy - 1, np.nan), visible, box))
    return rows


def _from_arrays(arrays: Mapping[str, Any], where: str) -> list[Row]:
    """Read the h5 form: a part at (0, 0) is absent; else `visible` tells seen from hidden."""
    names = array_of(arrays, "imgname", where, (None,), text=True).tolist()
    parts = array_of(arrays, "part", where, (len(names), len(MPII), 2)).astype(np.float64)
    seen = array_of(arrays, "visible", where, (len(names), len(MPII))) > 0
    centers = array_of(arrays, "center", where, (len(names), 2)).astype(np.float64)
    scales = array_of(arrays, "scale", where, (len(names),)).astype(np.float64) / PADDED
    if (scales < 0).any():
        raise DataError(f"{where}: scale: row {np.argmax(scales < 0)} is negative")
    labelled = (parts != 0).any(-1)
    visible = np.where(labelled, np.where(seen, SEEN, HIDDEN), ABSENT).astype(np.uint8)
    xy = np.where(labelled[..., None], parts - 1, np.nan)
    return [
        (name, xy[i], visible[i], square(centers[i] - (0, DOWN * scales[i]), float(scales[i])))
        for i, name in enumerate(names)
    ]


def read_h5(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an h5 file, names of pictures as texts; raises DataError, also where h5py is missing."""
    try:
        import h5py
    except ImportError:
        raise DataError(f'{path}: an h5 file needs h5py: pip install "posewright[mpii]"') from None
    try:
        with h5py.File(path, "r") as file:
            arrays = {name: np.asarray(file[name]) for name in file if isinstance(file[name], h5py.Dataset)}
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except Exception as error:  # h5py answers damage with a dozen kinds of error
        raise DataError(f"{path}: not an h5 file of plain arrays: {type(error).__name__}") from error
    names = arrays.get("imgname")
    if names is not None and names.dtype.kind not in "US":
        arrays["imgname"] = _texts(names, path)
    elif names is not None and names.dtype.kind == "S":
        arrays["imgname"] = np.char.decode(names, "latin-1")
    return arrays


def _texts(names: NDArray[Any], path: Path) -> NDArray[np.str_]:
    """Return texts from rows of character codes (N, 16), zeros at their ends, or from h5's own texts."""
    if names.dtype.kind == "O" and all(isinstance(name, bytes | str) for name in names.ravel()):
        return np.array([name.decode("latin-1") if isinstance(name, bytes) else name for name in names.ravel()])
    if names.ndim != 2 or names.dtype.kind not in "iuf" or not ((names >= 0) & (names < 128)).all():
        raise DataError(f"{path}: imgname: must be texts, or rows of character codes")
    return np.array(["".join(chr(int(code)) for code in row if code) for row in names], np.str_)


def _heads(path: Path, count: int) -> list[Floats]:
    arrays = read_arrays(path) if path.suffix == ".npz" else read_matlab(path)
    if "headboxes_src" in arrays:
        corners = array_of(arrays, "headboxes_src", str(path), (2, 2, count)).transpose(2, 0, 1)
    else:
        corners = array_of(arrays, "headboxes", str(path), (count, 2, 2))
    return list(corners.reshape(count, 4).astype(np.float64) - 1)
