"""Which tool a calibration is of: said before its path, as in anipose:FILE, or told by its content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from posewright.datasets.documents import PACKED, read_bytes, read_json
from posewright.datasets.records import DataError
from posewright.files import write_whole
from posewright.multiview.calibrations import capture_systems, colmap, opencv, published, qualisys, tables, theia
from posewright.multiview.rig import Rig, Unit, UnitError, Up, turned

KINDS = (
    "pose2sim",
    "anipose",
    "caliscope",
    "qualisys",
    "opencv",
    "easymocap",
    "panoptic",
    "h36m",
    "colmap",
    "vicon",
    "biocv",
    "theia",
)
"""The tools whose calibrations are read; all but those of `READ_ONLY` are written too."""
READ_ONLY = ("qualisys", "vicon", "biocv", "theia")

WORLDS: dict[str, Up] = {"panoptic": "-y", "h36m": "z"}
"""Tools whose files mean one axis to point up; a world is turned so before it is written for them."""


def read_rig(name: str, unit: Unit | None = None) -> Rig:
    """Read a calibration, by its content, or as the tool that stands before it: `easymocap:FOLDER`, `h36m/S1:FILE`.

    unit: what the file's lengths are in where it does not say. Raises ValueError or DataError, in one line.
    """
    kind, path = _split(name)
    if path.suffix in PACKED:
        raise DataError(f"{path}: is compressed; unpack it first, as calibrations are read as their tools write them")
    kind = kind or _kind(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    readers: dict[str, Callable[[], Rig]] = {
        "qualisys": lambda: qualisys.read(path, unit),
        "opencv": lambda: opencv.read_files(_opencv_files(path), unit),
        "easymocap": lambda: opencv.read_easymocap(path, unit),
        "panoptic": lambda: published.read_panoptic(path, unit),
        "h36m": lambda: published.read_h36m(path, unit, kind.partition("/")[2] or None),
        "colmap": lambda: colmap.read(path, unit),
        "vicon": lambda: capture_systems.read_vicon(path, unit),
        "biocv": lambda: capture_systems.read_biocv(path, unit),
        "theia": lambda: theia.read(path, unit),
    }
    base = kind.partition("/")[0]
    return readers[base]() if base in readers else tables.read(path, unit)


def read_intrinsics(name: str) -> Rig:
    """Read a calibration of which only what is inside the cameras counts, so that its unit need not be known."""
    try:
        return read_rig(name)
    except UnitError:
        return read_rig(name, "mm")


def write_rig(name: str, rig: Rig) -> Path:
    """Write a calibration as the tool that stands before its path, or by the suffix: .toml is Pose2Sim's.

    Files are written under another name first. Raises ValueError where the tool has no place for a lens.
    """
    kind, path = _split(name)
    if not kind:
        if path.suffix != ".toml":
            raise ValueError(f"{path}: say which tool it is for, as in panoptic:{path}; there are {', '.join(KINDS)}")
        kind = "pose2sim"
    if rig.up is not None and kind in WORLDS:
        rig = turned(rig, WORLDS[kind])
    if kind in ("pose2sim", "anipose", "caliscope"):
        files = {path: tables.write(rig, kind)}
    elif kind == "panoptic":
        files = {path: published.write_panoptic(rig)}
    elif kind == "h36m":
        files = {path: published.write_h36m(rig)}
    elif kind == "opencv":
        files = {path / f"{n}.yml": opencv.write(c, rig.sizes.get(n)) for n, c in rig.cameras.items()}
    elif kind in ("easymocap", "colmap"):
        make = opencv.write_easymocap if kind == "easymocap" else colmap.write
        files = {path / part: data for part, data in make(rig).items()}
    else:
        raise ValueError(f"{kind}: is read, not written")
    for file, data in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, data)
    return path


def _split(name: str) -> tuple[str, Path]:
    head, colon, tail = name.partition(":")
    if colon and head.partition("/")[0] in KINDS:
        return head, Path(tail)
    return "", Path(name)


def _kind(path: Path) -> str:
    """Tell the tool by a file's suffix and content, or by what a folder holds; raises DataError."""
    if path.is_dir():
        for kind, part in (
            ("colmap", "images.txt"),
            ("colmap", "images.bin"),
            ("easymocap", "*intri.y*ml"),
            ("opencv", "*.yml"),
            ("biocv", "*.calib"),
        ):
            if any(path.glob(part)):
                return kind
        raise DataError(
            f"{path}: a folder without images.txt or .bin (COLMAP), intri.yml (EasyMocap), .yml (OpenCV) or .calib "
            "(bioCV)"
        )
    if path.name.endswith(".qca.txt"):
        return "qualisys"
    if path.suffix == ".txt" and path.is_file() and bytes(read_bytes(path)).lstrip()[:1] == b"<":
        return "theia" if theia.is_theia(path) else "qualisys"
    if path.suffix in (".xcp", ".calib"):
        return "vicon" if path.suffix == ".xcp" else "biocv"
    if path.suffix == ".toml":
        return "toml"
    if path.suffix in (".yml", ".yaml", ".xml"):
        return "opencv"
    if path.suffix in (".pickle", ".pkl"):
        raise DataError(f"{path}: a pickle can run any program when it is read; refused. Save it in another form")
    if path.suffix == ".json":
        content = read_json(path)
        if isinstance(content, dict):
            keys = {"cameras": "panoptic", "extrinsics": "h36m"}
            return next((kind for key, kind in keys.items() if key in content), "opencv")
        return "panoptic"
    raise DataError(
        f"{path}: no calibration of a known kind; say which, as in colmap:{path}; there are {', '.join(KINDS)}"
    )


def _opencv_files(path: Path) -> list[Path]:
    return sorted(path.glob("*.y*ml")) if path.is_dir() else [path]
