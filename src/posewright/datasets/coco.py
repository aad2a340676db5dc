"""COCO keypoints (Lin et al., ECCV 2014), and any data in its format with a skeleton of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from posewright import picture
from posewright.columns import extent, pictures_of, with_people
from posewright.datasets import masks as segmentation
from posewright.datasets import quick
from posewright.datasets.annotations import Dialect, posed, read_annotations
from posewright.datasets.categories import HOUSE
from posewright.datasets.documents import parsed, read_bytes, streamed, write_json
from posewright.datasets.layout import coco_names, find_file, of_a_part, picture_folders
from posewright.datasets.records import DataError, Record, records_in, shown
from posewright.scene import SEEN, Floats, Person, Scene
from posewright.skeleton import COCO, Skeleton

TERMS = "COCO 2017 keypoints, train split (annotations CC BY 4.0; pictures by their owners' terms)"
"""What a network that learnt from it says on its card."""


def read(
    root: Path,
    split: str,
    *,
    annotations: Path | str | None = None,
    images: Path | str | None = None,
    skeleton: Skeleton | None = None,
    field: str = "keypoints",
    masks: bool | Literal["later"] = False,
    category: str | None = None,
) -> list[Scene]:
    """Read a folder in COCO's format, one scene an image, without decoding any.

    v is 0 absent, 1 hidden, 2 seen. Coordinates are kept as they stand: COCO's keypoints count pixels from
    0, its boxes are measured from the picture's corner, half a pixel further up and left; published crops
    and scores ignore that half pixel, and so does this. A person's id is the annotation's.

    annotations, images: a file and a folder (relative ones from `root`); without them the layouts
    `annotations/person_keypoints_{split}.json` with `{split}/` (also with 2017 after the split), `annotations.json` as
    `write` makes it, and those of labelling tools (`layout.coco_names`) are looked for, and pictures where
    `layout.picture_folders` says. A file without a split's name is every split.
    skeleton: None takes the names and limbs of the file's own category. field: where the keypoints stand.
    masks: decode every segmentation into `Person.mask` (much memory), or "later", each time it is asked for; otherwise
    masks are None. category: the name or id of the one to read where several have keypoints of their own.
    Raises DataError.
    """
    root = Path(root)
    if annotations is not None:
        file, folders = root / annotations, picture_folders(root, root / annotations, split)
    else:
        file = annotation_file(root, split)
        folders = picture_folders(root, file, split)
    if images is not None:
        folders = [root / images]
    return read_annotations(file, folders or [root], Dialect(skeleton, field, masks=masks, category=category))


def read_with_masks(root: Path, split: str) -> list[Scene]:
    """Read a folder in COCO's format with masks decoded when asked for, as whole pictures are learnt from."""
    return read(root, split, masks="later")


def annotation_file(root: Path, split: str) -> Path:
    """Find a split's file of annotations, or the only one that there is; raises DataError that lists where."""
    try:
        return find_file(root, coco_names(split, root.resolve().name), "annotations in COCO's format")
    except DataError:
        there = [file for form in ("*.json", "annotations/*.json") for file in root.glob(form) if not of_a_part(file)]
        if len(there) != 1:
            raise
        return there[0]


def write(scenes: Sequence[Scene], out: Path, image_folder: str = "images") -> Path:
    """Write scenes as `annotations.json` in COCO's format, their pixel arrays as PNGs beside it; return the file.

    Pictures that are files stay where they are and are named. Keypoints keep every digit; masks become run
    lengths; areas and boxes stand where they are known. What COCO has no field for (a head box, 3D points,
    causes of hiding, scores, a camera, a group, names that are no numbers) stands under "posewright".
    `read` gives the same scenes back, with masks=True the masks as well.
    Raises ValueError where the scenes have different skeletons.
    """
    skeleton = scenes[0].skeleton if scenes else COCO
    if any(scene.skeleton.keypoints != skeleton.keypoints for scene in scenes):
        raise ValueError("one file in COCO's format holds one skeleton, but these scenes have several")
    out = Path(out)
    (out / image_folder).mkdir(parents=True, exist_ok=True)
    numbers = _numbers([scene.id for scene in scenes])
    images = [_image(scene, number, out, image_folder) for scene, number in zip(scenes, numbers, strict=True)]
    people = [(person, number) for scene, number in zip(scenes, numbers, strict=True) for person in scene.people]
    identities = _numbers([person.id for person, _ in people])
    write_json(
        out / "annotations.json",
        {
            "images": images,
            "annotations": [
                _annotation(person, image, identity)
                for (person, image), identity in zip(people, identities, strict=True)
            ],
            "categories": [_category(skeleton)],
        },
    )
    return out / "annotations.json"


def _numbers(identities: Sequence[int | str | None]) -> list[int]:
    """Return the ids themselves where they are distinct whole numbers from 1, else numbers that run from 1."""
    whole = [identity for identity in identities if isinstance(identity, int) and identity > 0]
    return whole if len(set(whole)) == len(identities) else list(range(1, len(identities) + 1))


def _image(scene: Scene, number: int, out: Path, folder: str) -> dict[str, Any]:
    size = scene.size
    if isinstance(scene.image, np.ndarray):
        name = f"{folder}/{number:06d}.png"
        picture.write(out / name, scene.image)
        size = size or (scene.image.shape[1], scene.image.shape[0])
    else:
        path = Path(scene.image).resolve()
        inside = path.is_relative_to(out.resolve())
        name = (path.relative_to(out.resolve()) if inside else path).as_posix()
    extra: dict[str, Any] = {} if scene.id is None or scene.id == number else {"id": scene.id}
    if scene.group is not None:
        extra["group"] = scene.group
    if scene.camera is not None:
        extra["camera"] = {name: getattr(scene.camera, name).tolist() for name in ("K", "R", "t", "distortion")}
    return (
        {"id": number, "file_name": name}
        | ({} if size is None else {"width": size[0], "height": size[1]})
        | ({HOUSE: extra} if extra else {})
    )


def _annotation(person: Person, image: int, identity: int) -> dict[str, Any]:
    labelled = person.labelled
    visible = np.where(labelled, SEEN, 0) if person.visible is None else person.visible
    entry: dict[str, Any] = {
        "id": identity,
        "image_id": image,
        "category_id": 1,
        "iscrowd": int(person.crowd),
        "num_keypoints": int(labelled.sum()) if person.counted is None else int(person.counted),
        "keypoints": _triples(person.keypoints, visible.astype(np.int64)),
    }
    if person.box is not None:
        entry["bbox"] = _xywh(person.box)
    if person.area is not None:
        entry["area"] = float(person.area)
    if person.mask is not None:
        entry["segmentation"] = segmentation.encode(person.mask)
    return entry | {HOUSE: _extra(person, identity)}


def _extra(person: Person, identity: int) -> dict[str, Any]:
    """Return what COCO has no field for; the box is here as well, since x + width - x loses digits."""
    extra: dict[str, Any] = {} if person.id == identity else {"id": person.id}
    for name in ("box", "head", "scores", "cause"):
        value = getattr(person, name)
        if value is not None:
            extra[name] = value.tolist()
    if person.points3d is not None:
        extra["points3d"] = [[None if np.isnan(v) else float(v) for v in row] for row in person.points3d]
    if person.score is not None:
        extra["score"] = float(person.score)
    if person.visible is None:
        extra["told"] = False
    return extra


def _category(skeleton: Skeleton) -> dict[str, Any]:
    known: dict[str, Any] = {"skeleton": skeleton.name, "sigmas_source": skeleton.sigmas_source}
    if skeleton.sigmas is not None:
        known["sigmas"] = list(skeleton.sigmas)
    if skeleton.sides is not None:
        known["sides"] = [list(pair) for pair in skeleton.sides]
    return {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(skeleton.keypoints),
        "skeleton": (skeleton.limb_indices + 1).tolist(),
        HOUSE: known,
    }


def _triples(keypoints: Floats, third: Any) -> list[float]:
    """Return x, y and a third number of every keypoint in one list; zeros where it is absent."""
    return [
        value
        for (x, y), z in zip(keypoints.tolist(), third.tolist(), strict=True)
        for value in ((0, 0, 0) if np.isnan(x) or np.isnan(y) else (x, y, z))
    ]


def _xywh(box: Floats) -> list[float]:
    x0, y0, x1, y1 = box.tolist()
    return [x0, y0, x1 - x0, y1 - y0]


def write_results(scenes: Sequence[Scene], path: Path, tracked: bool = False) -> None:
    """Write people as COCO results: image_id, category_id, keypoints, score, and bbox and segmentation where known.

    The third number of a keypoint is its score, 1 where the person has none, and an absent keypoint is 0, 0, 0.
    A person without a score gets the mean of the keypoints', or 1. tracked: write ids as `track_id` too.
    Raises ValueError for a scene without id.
    """
    entries = []
    for scene, identity in zip(scenes, _identities(scenes), strict=True):
        for person in scene.people:
            scores = np.ones(len(person)) if person.scores is None else person.scores
            mean = float(scores[person.labelled].mean()) if person.labelled.any() else 0.0
            entry: dict[str, Any] = {
                "image_id": identity,
                "category_id": 1,
                "keypoints": _triples(person.keypoints, scores),
                "score": mean if person.score is None else float(person.score),
            }
            if person.box is not None:
                entry["bbox"] = _xywh(person.box)
            if person.mask is not None:
                entry["segmentation"] = segmentation.encode(person.mask)
            if tracked and person.id is not None:
                entry["track_id"] = person.id
            entries.append(entry)
    write_json(Path(path), entries)


def read_results(path: Path, scenes: Sequence[Scene]) -> Sequence[Scene]:
    """Return the scenes with the people that a COCO results file says are in them, in the file's order.

    scores are the keypoints' third numbers, kept as they are: files of other programs go beyond 1 and below 0. A
    keypoint 0, 0, 0 is absent, and so is one with null or NaN. A result without a score has the mean of its keypoints'
    that are there. visible is None: results do not tell. As in pycocotools id is the entry's place from 1, and area
    that of `bbox`, or where the first result has none of the box around all keypoints as they stand, zeros included.
    Departure: a later result without `bbox`, of which pycocotools makes a KeyError, has the area of its keypoints' box.
    All results must be of one category. Raises DataError.

    The people are kept in columns: a scene is made anew each time that it is asked for.
    """
    path, places = Path(path), {identity: place for place, identity in enumerate(_identities(scenes))}
    pictures = [with_people(scene) for scene in pictures_of(scenes)]
    try:
        with streamed(path) as file:
            return quick.read_results(file, pictures, places)
    except quick.UNUSUAL as error:
        data = read_bytes(path)
        quick.refuse_huge(path, data, error)
    content = parsed(path, data)
    if not isinstance(content, list):
        raise DataError(f"{path}: must be a list of results, not an object; that is what a file of annotations is")
    people: list[list[Person]] = [[] for _ in scenes]
    results = posed(records_in(content, str(path), "result"), path)
    boxed = bool(results) and bool(results[0].fields.get("bbox"))
    for number, record in enumerate(results, 1):
        image = record.identity("image_id")
        if image not in places:
            raise record.wrong("image_id", f"{image!r} is the id of no picture that was given")
        _check_category(record, results[0].fields)
        place = places[image]
        people[place].append(replace(_predicted(record, len(scenes[place].skeleton), boxed), id=number))
    return [with_people(picture, tuple(found)) for picture, found in zip(pictures, people, strict=True)]


def _check_category(record: Record, first: Mapping[str, Any]) -> None:
    """Refuse results of several categories: keypoints of a hand and of a body cannot be scored together."""
    one, other = first.get("category_id"), record.fields.get("category_id")
    if one != other and isinstance(one, int | str) and isinstance(other, int | str):
        raise record.wrong("category_id", f"{shown(other)}, but the first result's is {shown(one)}; give one category")


def _predicted(record: Record, count: int, boxed: bool) -> Person:
    triples = record.triples("keypoints", count)
    box, box_area = None, None
    if record.fields.get("bbox"):
        box, box_area = record.box("bbox"), record.box_area("bbox")
    around = float(np.prod(extent(triples[None, :, :2])))
    absent = np.isnan(triples[:, 0]) | (triples == 0).all(axis=1)
    mean = float(triples[~absent, 2].mean()) if not absent.all() else 0.0
    return Person(
        np.where(absent[:, None], np.nan, triples[:, :2]),
        scores=triples[:, 2],
        score=record.number("score") if record.has("score") else mean,
        box=box,
        area=box_area if boxed and box_area is not None else around,
        box_area=box_area,
    )


def _identities(scenes: Sequence[Scene]) -> list[int | str]:
    """Return the scenes' ids; raises ValueError unless each has its own."""
    found = [scene.id for scene in pictures_of(scenes) if scene.id is not None]
    if len(set(found)) != len(scenes):
        raise ValueError("results name pictures by id, so every scene must have one of its own")
    return found
