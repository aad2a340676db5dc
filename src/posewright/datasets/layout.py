"""Layouts: where files of annotations and their pictures lie, as data sets and labelling tools leave them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path, PurePosixPath

from posewright.datasets.records import DataError


def find_file(root: Path, names: Sequence[str], what: str) -> Path:
    """Return the first of these files in a folder, gzipped (.gz) or not, * standing for any text; else DataError."""
    for name in names:
        for form in (name, f"{name}.gz"):
            found = [Path(form)] if Path(form).is_absolute() else sorted(root.glob(form))
            if found and found[0].is_file():
                return found[0]
    lack = f"holds no {what}" if root.is_dir() else f"no such folder; it should hold {what}"
    raise DataError(f"{root}: {lack}; looked for {', '.join(names)}")


def find_folder(root: Path, names: Sequence[str]) -> Path:
    """Return the first of these folders that is there (* standing for any text), else `root` itself."""
    return next((folder for name in names for folder in sorted(root.glob(name)) if folder.is_dir()), root)


SPLITS = {"val": ("valid", "validation", "Validation"), "train": ("training", "Train"), "test": ("testing", "Test")}
"""What tools call a part of the data, beside its own name."""
TOOLS = (
    "{split}/_annotations.coco.json", "{split}/annotations.json", "{split}/labels.json",
    "annotations/person_keypoints_{split}.json", "annotations/{split}.json", "annotations/keypoints_{split}.json",
    "annotations/instances_{split}.json", "{split}.json", "{split}.coco.json", "{split}_annotations.json",
)  # fmt: skip
"""One file a part: Roboflow's folders, CVAT's subsets, FiftyOne's, and those that people write by hand."""
WHOLE = (
    "annotations.json", "person_keypoints.json", "_annotations.coco.json", "result.json", "labels.json", "coco.json",
    "annotations/person_keypoints_default.json", "annotations/instances_default.json", "annotations/annotations.json",
)  # fmt: skip
"""One file for all parts: as `coco.write` makes it, Roboflow, Label Studio, FiftyOne, CVAT."""


def coco_names(split: str, folder: str) -> list[str]:
    """List where annotations in COCO's format may lie in a folder of that name, likeliest first."""
    names = [f"annotations/person_keypoints_{split}{year}.json" for year in ("", "2017")]
    parts = (split, *SPLITS.get(split, ()), *(own for own, others in SPLITS.items() if split in others))
    tools = [form.format(split=part) for part, form in product(parts, TOOLS)]
    return [*names, *tools, *WHOLE, f"{split}_{folder}.json"]


def of_a_part(file: Path) -> bool:
    """Tell whether a file's name says that it holds one part of a data set."""
    words = [part.lower() for own, others in SPLITS.items() for part in (own, *others)]
    return any(word in file.name.lower() for word in words)


def picture_folders(root: Path, file: Path, split: str) -> list[Path]:
    """List where the pictures of a file of annotations may lie, likeliest first."""
    parts = (split, f"{split}2017", *SPLITS.get(split, ()), *(own for own, others in SPLITS.items() if split in others))
    stem = file.name.removesuffix(".gz").removesuffix(".json").rpartition("_")[2]
    inside = [*parts, *(f"images/{part}" for part in (*parts, stem)), "images", "data", "train", ""]
    whole = [root] if file.parent == root and file.name.startswith("annotations.json") else []
    beside = [folder for base in (root, file.parent, file.parent.parent) for folder in (base / name for name in inside)]
    return list(dict.fromkeys(folder for folder in [*whole, *beside] if folder.is_dir()))


def pictures_in(folders: Sequence[Path], names: Iterable[str]) -> Callable[[str], Path]:
    """Return what finds a picture by the name that a file of annotations gives it.

    The first of the names that lies in one of the folders says in which, and how many leading folders of a name are
    dropped; back-slashes part folders where they must. Where none lies there, it is the first folder.
    """
    for name in names:
        for (dropped, parts), folder in product(_shorter(name), folders):
            if _exists(folder.joinpath(*parts)):
                plain = dropped == 0 and "\\" not in name
                return lambda name: folder / name if plain else folder.joinpath(*_parts(name)[dropped:])
    return lambda name: folders[0] / name


def _shorter(name: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the folders and the file of a name, ever more of the leading ones dropped."""
    parts = _parts(name)
    yield from ((dropped, parts[dropped:]) for dropped in range(len(parts)))


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name if "\\" not in name else name.replace("\\", "/")).parts


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False
