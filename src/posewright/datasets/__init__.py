"""Data sets: readers that turn every published layout and quirk into scenes, and the synthetic world."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from posewright.datasets.meant import WAYS, meant
from posewright.datasets.outside import inside
from posewright.datasets.records import DataError
from posewright.scene import Scene

if TYPE_CHECKING:
    from posewright.datasets import (
        aic,
        coco,
        crowdpose,
        flic,
        h36m,
        jhmdb,
        lsp,
        mpi_inf_3dhp,
        mpii,
        ochuman,
        panoptic,
        penn_action,
        posetrack,
        shelf,
        voc,
    )

__all__ = [
    "READERS",
    "DataError",
    "aic",
    "coco",
    "crowdpose",
    "flic",
    "h36m",
    "jhmdb",
    "lsp",
    "mpi_inf_3dhp",
    "mpii",
    "ochuman",
    "panoptic",
    "penn_action",
    "posetrack",
    "read",
    "shelf",
    "voc",
]

Masks = bool | Literal["later"]
Reader = Callable[[Path, str], list[Scene]]


class Readers(Mapping[str, Reader]):
    """Hold readers by name; each is imported when it is asked for, as all of them take a quarter of a second."""

    def __init__(self, *names: str) -> None:
        self._names = dict.fromkeys(names)

    def __getitem__(self, name: str) -> Reader:
        if name not in self._names:
            raise KeyError(name)
        return cast(Reader, import_module(f"posewright.datasets.{name}").read)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


READERS = Readers(
    *("lsp", "crowdpose", "aic", "mpii", "jhmdb", "posetrack", "h36m", "mpi_inf_3dhp", "panoptic", "shelf", "ochuman"),
    *("flic", "penn_action", "voc", "coco"),
)
"""The readers by the name that stands before the colon in `lsp:FOLDER`."""

_SIGNS = {
    "lsp": ("*_joints.npz", "joints.mat"),
    "crowdpose": ("crowdpose_*.json*", "*/*crowdpose_*.json*", "*_crowdpose.json"),
    "aic": ("keypoint_*_annotations*.json*", "*aic*.json*", "annotations/aic_*.json"),
    "mpii": ("mpii_human_pose*.mat", "annot/valid.*", "annot/train.*", "valid.npz", "*_mpii.json"),
    "jhmdb": ("joint_positions", "*Sub?_*.json", "annotations/Sub?_*.json", "*_jhmdb_sub?.json"),
    "posetrack": ("annotations/*/*_mpii_*.json", "annotations/*posetrack18*.json"),
    "h36m": ("annotations/Human36M_subject*_data.json", "annotation_body3d", "*h36m*body3d*.npz", "h36m_*.npz"),
    "mpi_inf_3dhp": ("annotations/mpi_inf_3dhp_*.npz", "*3dhp_*.npz"),
    "panoptic": ("*/hdPose3d_stage1_coco19",),
    "shelf": ("actorsGT.mat",),
    "ochuman": ("ochuman.json", "annotations/ochuman.json"),
    "flic": ("examples.mat",),
    "penn_action": ("labels/*.mat",),
    "voc": ("SegmentationClass", "VOC20??/SegmentationClass", "VOCdevkit/VOC20??/SegmentationClass"),
    "coco": (
        "annotations/person_keypoints_*.json*",
        "annotations.json",
        "person_keypoints.json",
        "*_coco.json",
        "_annotations.coco.json",
        "*/_annotations.coco.json",
        "result.json",
        "labels.json",
        "annotations/*.json",
    ),
}


def __getattr__(name: str) -> Any:
    """Import a reader's module when it is asked for by `datasets.lsp`."""
    if name not in READERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"posewright.datasets.{name}")


def read(where: str | Path, split: str, masks: Masks = False) -> list[Scene]:
    """Read a data set from "lsp:FOLDER", "coco:FOLDER", ..., or from a folder that its contents tell apart.

    A JSON file instead of a folder is read in COCO's format, its pictures beside it, or in the folder that stands
    behind it: "coco:labels.json@photos". `#NAME` behind it names a category, where several have keypoints of their
    own. Words behind the kind say what its files mean otherwise, see `meant.WAYS`: "coco+corners:FOLDER". masks:
    as `coco.read` takes it, of data in that format. Raises DataError, also for pictures outside of the folder, see
    `outside`.

    >>> scenes = read("lsp:lspet", "test")  # doctest: +SKIP
    """
    plain, ways = split_ways(where)
    return meant(_read_plain(plain, split, masks), ways)


def _read_plain(where: str | Path, split: str, masks: Masks) -> Sequence[Scene]:
    from posewright.datasets import coco

    where, category = split_category(where)
    name, colon, rest = str(where).partition(":")
    file, at, folder = (rest if colon and name == "coco" else str(where)).rpartition("@")
    if at and Path(file).is_file() and not Path(where).exists():
        return inside(
            coco.read(Path(), split, annotations=file, images=folder, category=category, masks=masks), Path(folder)
        )
    if category is not None:
        root = Path(rest if colon and name == "coco" else where)
        if root.is_file():
            return inside(coco.read(root.parent, split, annotations=root.name, category=category, masks=masks), root)
        return inside(coco.read(root, split, category=category, masks=masks), root)
    if colon and name in READERS and not Path(where).exists():
        return inside(_read(name, Path(rest), split, masks), Path(rest))
    if not Path(where).exists():
        raise DataError(f"{where}: no such folder, nor NAME:FOLDER with NAME one of {', '.join(READERS)}")
    kind = "coco" if Path(where).is_file() else kind_of(Path(where))
    return inside(_read(kind, Path(where), split, masks), Path(where))


def split_ways(where: str | Path) -> tuple[str | Path, tuple[str, ...]]:
    """Part a data set's name from what stands behind its kind; raises ValueError for a word that is none of WAYS.

    >>> split_ways("coco+corners+resized:DIR"), split_ways("lsp:DIR")
    (('coco:DIR', ('corners', 'resized')), ('lsp:DIR', ()))
    """
    name, colon, rest = str(where).partition(":")
    kind, *ways = name.split("+")
    if not (colon and ways and kind in READERS) or Path(where).exists():
        return where, ()
    strange = next((way for way in ways if way not in WAYS), None)
    if strange is not None:
        raise ValueError(f"{where}: behind {kind}+ may stand {', '.join(WAYS)}, not {strange!r}")
    return f"{kind}:{rest}", tuple(ways)


def split_category(where: str | Path) -> tuple[str | Path, str | None]:
    """Part a data set's name from the category that stands behind it.

    >>> split_category("coco:animals.json#dog"), split_category("lsp:DIR")
    (('coco:animals.json', 'dog'), ('lsp:DIR', None))
    """
    if Path(where).exists():
        return where, None
    rest, hash_, category = str(where).rpartition("#")
    return (rest, category) if hash_ and category else (where, None)


def _read(name: str, root: Path, split: str, masks: Masks) -> list[Scene]:
    from posewright.datasets import coco

    if root.is_file() and name == "coco":
        return coco.read(root.parent, split, annotations=root.name, masks=masks)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    return coco.read(root, split, masks=masks) if name == "coco" else READERS[name](root, split)


def kind_of(root: Path) -> str:
    """Return the name in READERS of a folder's data set, told by its files; raises DataError."""
    if not root.is_dir():
        raise DataError(f"{root}: no such file or folder, nor NAME:FOLDER with NAME one of {', '.join(READERS)}")
    for name, signs in _SIGNS.items():
        if any(next(root.glob(sign), None) is not None for sign in signs):
            return name
    if next(root.glob(f"*_{root.resolve().name}.json"), None) is not None:
        return "coco"
    looked = "; ".join(f"{name}: {', '.join(signs)}" for name, signs in _SIGNS.items())
    raise DataError(f"{root}: not a data set that is known by its files; looked for {looked}")
