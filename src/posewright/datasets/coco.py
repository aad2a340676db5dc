"""COCO keypoints (Lin et al., ECCV 2014), and any data in its format with a skeleton of its own."""

from __future__ import annotations

from pathlib import Path

from posewright.datasets.annotations import Dialect, read_annotations
from posewright.datasets.records import DataError
from posewright.scene import Scene
from posewright.skeleton import Skeleton


def read(
    root: Path,
    split: str,
    *,
    annotations: Path | str | None = None,
    images: Path | str | None = None,
    skeleton: Skeleton | None = None,
    field: str = "keypoints",
    masks: bool = False,
) -> list[Scene]:
    """Read a folder in COCO's format, one scene an image, without decoding any.

    v is 0 absent, 1 hidden, 2 seen. Coordinates are kept as they stand: COCO's keypoints count pixels from
    0, its boxes are measured from the picture's corner, half a pixel further up and left; published crops
    and scores ignore that half pixel, and so does this. A person's id is the annotation's.

    annotations, images: a file and a folder (relative ones from `root`); without them the layouts
    `annotations/person_keypoints_{split}.json` with `{split}/` (also with 2017 after the split),
    `annotations.json` as `write` makes it, `person_keypoints.json` with `images/`, and
    `{split}_{folder's name}.json` are looked for. The two files without a split's name are every split.
    skeleton: None takes the names and limbs of the file's own category. field: where the keypoints stand.
    masks: decode every segmentation into `Person.mask` (much memory); otherwise masks are None.
    Raises DataError.
    """
    root = Path(root)
    file, folder = (root / annotations, root) if annotations is not None else _layout(root, split)
    if images is not None:
        folder = root / images
    return read_annotations(file, folder, Dialect(skeleton, field, masks=masks))


def _layout(root: Path, split: str) -> tuple[Path, Path]:
    """Find the annotation file and the folder of images."""
    layouts = [
        (root / "annotations" / f"person_keypoints_{split}.json", root / split),
        (root / "annotations" / f"person_keypoints_{split}2017.json", root / f"{split}2017"),
        (root / "annotations.json", root),
        (root / "person_keypoints.json", root / "images"),
        (root / f"{split}_{root.name}.json", root),
    ]
    for file, folder in layouts:
        for form in (file, file.with_name(f"{file.name}.gz")):
            if form.is_file():
                return form, next((f for f in (folder, root / "images" / folder.name) if f.is_dir()), root)
    looked = ", ".join(str(file.relative_to(root)) for file, _ in layouts)
    raise DataError(f"{root}: holds no annotations in COCO's format; looked for {looked}")
