"""Rigs: the cameras that look at one scene, and what their file said or had to be told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from posewright.geometry import Camera
from posewright.warp import Size

Floats = NDArray[np.float64]
Unit = Literal["m", "cm", "mm"]
Up = Literal["x", "y", "z", "-x", "-y", "-z"]

MILLIMETRES: dict[str, float] = {"m": 1000.0, "cm": 10.0, "mm": 1.0}
UPS: tuple[Up, ...] = get_args(Up)
TURNED = 1e-3
"""How far a rotation of a file may be from a rotation and is still made one; beyond, it is refused."""


@dataclass(frozen=True, eq=False)
class Rig:
    """Name the cameras of a scene, in mm.

    sizes: the pictures' (width, height) px where known. up: the axis of the world that points up, where known. notes:
    what was assumed when a file was read, for people to see.
    """

    cameras: dict[str, Camera]
    sizes: dict[str, Size] = field(default_factory=dict)
    up: Up | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.cameras)

    def only(self, names: list[str]) -> Rig:
        """Return some of the cameras, in this order; raises ValueError that lists the names there are."""
        strange = [name for name in names if name not in self.cameras]
        if strange:
            raise ValueError(f"no camera {strange[0]!r}; there are {', '.join(self.cameras)}")
        cameras = {name: self.cameras[name] for name in names}
        return replace(self, cameras=cameras, sizes={n: s for n, s in self.sizes.items() if n in cameras})


def rotation(value: ArrayLike, where: str) -> Floats:
    """Return R (3, 3) from a Rodrigues vector (3,) or a matrix; raises ValueError where it is no rotation."""
    given = np.asarray(value, np.float64).squeeze()
    if not np.isfinite(given).all():
        raise ValueError(f"{where}: rotation holds a value that is no finite number")
    if given.shape == (3,):
        return np.asarray(Rotation.from_rotvec(given).as_matrix())
    if given.shape != (3, 3):
        raise ValueError(f"{where}: rotation must be 3 numbers (Rodrigues) or 3x3, not {given.shape}")
    off = np.abs(given @ given.T - np.eye(3)).max()
    if off > TURNED or np.linalg.det(given) < 0:
        raise ValueError(f"{where}: rotation is no rotation: R R' is {off:.2g} off, det {np.linalg.det(given):.3f}")
    U, _, Vt = np.linalg.svd(given)
    return np.asarray(U @ Vt)


class UnitError(ValueError):
    """A calibration whose unit of length neither its file nor anybody has said."""


def scale_of(unit: Unit | None, rig: dict[str, Camera], where: str) -> float:
    """Return the mm of a file's unit; raises UnitError where neither the file nor anybody says what it is."""
    if unit is not None:
        return MILLIMETRES[unit]
    centers = np.stack([camera.center for camera in rig.values()])
    apart = float(np.linalg.norm(centers - centers.mean(0), axis=-1).mean() * 2)
    raise UnitError(
        f"{where}: the file does not say its unit of length; say --unit m, cm or mm (its cameras stand about "
        f"{apart:.3g} apart)"
    )


def in_mm(cameras: dict[str, Camera], scale: float) -> dict[str, Camera]:
    """Return cameras whose lengths were in units of `scale` mm."""
    return {name: replace(camera, t=camera.t * scale) for name, camera in cameras.items()}


def turn_up(source: Up, target: Up) -> Floats:
    """Return the rotation (3, 3) by which a world whose `source` axis is up becomes one whose `target` axis is.

    From z to y it is (x, y, z) -> (y, z, x), as Pose2Sim and OpenSim's users have it: axes are renamed in a
    circle, and turned by half where a sign differs.

    >>> turn_up("z", "y") @ [1, 2, 3]
    array([2., 3., 1.])
    """
    first, last = "xyz".index(source[-1]), "xyz".index(target[-1])
    turn = np.roll(np.eye(3), last - first, axis=0)
    if source[0] == target[0] or (source[0] != "-" and target[0] != "-"):
        return turn
    flip = np.eye(3)
    flip[last, last] = flip[(last + 1) % 3, (last + 1) % 3] = -1
    return flip @ turn


def turned(rig: Rig, up: Up) -> Rig:
    """Turn a rig's world so that this axis points up; raises ValueError where nobody knows which one does now."""
    if rig.up is None:
        raise ValueError("the calibration does not say which axis of its world points up; say --world-up z, y, -y, ...")
    turn = turn_up(rig.up, up)
    return replace(rig, cameras={n: replace(c, R=c.R @ turn.T) for n, c in rig.cameras.items()}, up=up)
