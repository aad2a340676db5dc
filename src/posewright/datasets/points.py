"""Poses in space on disk: an .npz of plain arrays, as `posewright multiview triangulate` and `lift` write them.

`xyz` (N, K, 3), or (F, P, K, 3) of F frames and P people; `keypoints` (K,) their names; and where there is one:
`unit` mm, cm or m (mm where it is not said), `skeleton` its name, `limbs` (L, 2), `sequence` and `action` (N,) or (F,),
names of what each pose was cut from and of what is done. Without `sequence`, each person of a file is one sequence.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posewright.datasets.arrays import read_arrays
from posewright.datasets.records import DataError
from posewright.files import write_whole
from posewright.metrics.threed.poses import Poses
from posewright.metrics.threed.pss import Centres
from posewright.skeleton import SKELETONS, Skeleton

MILLIMETRES = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
SMALLEST = 100.0
"""mm from the root to the farthest keypoint, the median over poses; smaller ones are of another unit."""


def holds_poses(path: str | Path) -> bool:
    """Tell whether a file is an .npz with poses in space; False for what is none, or not there."""
    file = Path(path)
    if file.suffix != ".npz" or not file.is_file():
        return False
    try:
        return "xyz" in read_arrays(file)
    except DataError:
        return False


def read_poses(path: Path, skeleton: Skeleton | None = None) -> Poses:
    """Read poses; skeleton: what their keypoints are where the file does not say.

    Raises DataError for a file that is none, lacks `xyz` or names, or whose arrays disagree; and for people smaller
    than a hand, whose unit is not the one that is said.
    """
    arrays = read_arrays(path)
    if "xyz" not in arrays:
        raise DataError(f"{path}: has no array xyz of poses (N, K, 3); it holds {', '.join(arrays) or 'nothing'}")
    xyz = _numbers(arrays["xyz"], f"{path}: xyz")
    if xyz.ndim not in (3, 4) or xyz.shape[-1] != 3 or not xyz.size:
        raise DataError(f"{path}: xyz: must be (N, K, 3) or (F, P, K, 3), not {xyz.shape}")
    bones = _skeleton(arrays, xyz.shape[-2], skeleton, path)
    people = xyz.shape[1] if xyz.ndim == 4 else 1
    frames = len(xyz)
    alone = np.array([f"person {p + 1}" for p in range(people)] if people > 1 else [""])
    sequence = _names(arrays, "sequence", frames, people, path)
    if people > 1:
        whose = np.tile(alone, frames)
        sequence = whose if sequence is None else np.char.add(np.char.add(sequence, " "), whose)
    action = _names(arrays, "action", frames, people, path)
    nothing = np.full(frames * people, "")
    poses = Poses(
        _scale(arrays, path) * xyz.reshape(-1, *xyz.shape[-2:]),
        bones,
        nothing if sequence is None else sequence,
        nothing if action is None else action,
    )
    return _sized(poses, path)


def write_poses(path: Path, poses: Poses) -> Path:
    """Write poses, whole or not at all; returns the path."""
    return _write(path, {"xyz": poses.xyz, "keypoints": np.array(poses.skeleton.keypoints), "unit": np.array("mm"),
                         "skeleton": np.array(poses.skeleton.name), "sequence": poses.sequence,
                         "action": poses.action})  # fmt: skip


def read_centres(path: Path) -> Centres:
    """Read the centres of a pose structure score: `centres_50` (50, 3 K) and the like, `keypoints`, `made_of`.

    Raises DataError where there are none, or arrays disagree.
    """
    arrays = read_arrays(path)
    found = {int(name.removeprefix("centres_")): _numbers(array, f"{path}: {name}")
             for name, array in arrays.items() if name.removeprefix("centres_").isdecimal()}  # fmt: skip
    if not found or "keypoints" not in arrays:
        raise DataError(f"{path}: no centres of poses: needs keypoints and centres_50 or the like")
    names = tuple(map(str, arrays["keypoints"].tolist()))
    try:
        return Centres(Skeleton("centres", names, ()), found, str(arrays.get("made_of", "not said")))
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None


def write_centres(path: Path, centres: Centres) -> Path:
    """Write centres as a file to share, whole or not at all; returns the path."""
    arrays: dict[str, Any] = {f"centres_{k}": found for k, found in centres.centres.items()}
    names = np.array(centres.skeleton.keypoints)
    return _write(path, arrays | {"keypoints": names, "made_of": np.array(centres.made_of)})


def _write(path: Path, arrays: dict[str, Any]) -> Path:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_whole(path, buffer.getvalue())
    return path


def _numbers(array: NDArray[Any], where: str) -> NDArray[np.float64]:
    if array.dtype.kind not in "fiu":
        raise DataError(f"{where}: must be numbers, not {array.dtype}")
    return np.asarray(array, np.float64)


def _skeleton(arrays: dict[str, Any], count: int, given: Skeleton | None, path: Path) -> Skeleton:
    """Return the skeleton that a file names; a known one of these very keypoints brings its limbs."""
    if "keypoints" in arrays:
        names = tuple(map(str, np.atleast_1d(arrays["keypoints"]).tolist()))
        limbs = tuple((str(a), str(b)) for a, b in arrays["limbs"].tolist()) if "limbs" in arrays else ()
        known = next((one for one in SKELETONS if one.keypoints == names), None)
        given = known or Skeleton(str(arrays.get("skeleton", "own")), names, limbs)
    if given is None:
        raise DataError(f"{path}: does not name its {count} keypoints; say --skeleton, or add an array keypoints")
    if len(given) != count:
        raise DataError(f"{path}: {len(given)} names for {count} keypoints")
    return given


def _names(arrays: dict[str, Any], key: str, frames: int, people: int, path: Path) -> NDArray[np.str_] | None:
    """Return a name (F P,) for every pose; None where the file has none."""
    if key not in arrays:
        return None
    names = np.asarray(arrays[key])
    if names.shape != (frames,) or names.dtype.kind not in "Uiu":
        raise DataError(
            f"{path}: {key}: must be {frames} names or numbers, one a frame, not {names.shape} {names.dtype}"
        )
    return np.repeat(names.astype(np.str_), people)


def _scale(arrays: dict[str, Any], path: Path) -> float:
    unit = str(arrays.get("unit", "mm"))
    if unit not in MILLIMETRES:
        raise DataError(f"{path}: unit: must be mm, cm or m, not {unit!r}")
    return MILLIMETRES[unit]


def _sized(poses: Poses, path: Path) -> Poses:
    """Return the poses; raises DataError where people are so small that the unit must be another."""
    reach = np.linalg.norm(poses.centred, axis=-1)
    known = np.isfinite(reach)
    farthest = np.where(known, reach, 0.0).max(-1)[known.any(-1)]
    if len(farthest) and np.median(farthest) < SMALLEST:
        raise DataError(
            f"{path}: people reach {np.median(farthest):.3g} mm from their pelvis; the file must say their unit, as "
            'unit="m"'
        )
    return poses
