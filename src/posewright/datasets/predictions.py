"""Anybody's predictions, beside the scenes that they are of.

A file says by its content which form it is in, never by its name: COCO results (also with pictures' names for ids,
as `posewright predict` and AlphaPose write them), annotations in COCO's format, AI Challenger's submissions,
OpenPose's JSON, what `instances` reads (MMPose, ultralytics, openpifpaf, AlphaPose), or a table. Any of them may be
gzipped. DeepLabCut's and SLEAP's .h5 are read where h5py is installed, SLEAP's own files where sleap-io is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from posewright.columns import Columns, pictures_of, with_people
from posewright.datasets import aic, coco, hdf5, instances, openpose, sleap, table
from posewright.datasets.annotations import Dialect, read_annotations
from posewright.datasets.bodies import BODIES, BY_COUNT
from posewright.datasets.content import LOOKED, content_of, opened
from posewright.datasets.documents import read_json
from posewright.datasets.named_points import is_named
from posewright.datasets.names import Name, finder, placed
from posewright.datasets.records import DataError, Record, record_of, records_in
from posewright.scene import Person, Scene
from posewright.skeleton import COCO, Skeleton

_IMAGES = re.compile(rb'"(images|categories)"\s*:\s*\[')
_IMAGE = re.compile(rb'"image_id"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d+)')


def read_predictions(path: Path | str, truth: Sequence[Scene], skeleton: Skeleton | None = None) -> Sequence[Scene]:
    """Read predictions, one scene for each true one, in their order and with their ids; nobody may be in some.

    A picture is found by its id, its path as far as the end goes, its file's name without suffix, or a number.
    A folder is one that `posewright predict` wrote into, or one of OpenPose's. skeleton: what the numbers are
    of; None takes it from the file or the `protocol.json` beside it, then from how many numbers there are, then
    from the truth. The scenes have the predictions' own skeleton; see `metrics.shared_keypoints`. A person
    without a score gets the mean of the keypoints', or 1. Raises DataError, in one line that says where.
    """
    path = Path(path)
    if path.is_dir():
        inside = next((f for f in (path / "predictions.json", path / "predictions.json.gz") if f.is_file()), None)
        if inside is None:
            return _folder(path, truth, skeleton)
        path = inside
    if path.suffix == ".slp":
        return sleap.read(path, truth)
    content = content_of(path)
    if content.kind == "table":
        return table.read_table(path, truth, skeleton or (truth[0].skeleton if truth else COCO))
    if content.kind == "arrays":
        if path.suffix not in hdf5.SUFFIXES:
            raise DataError(f"{path}: arrays; predictions must be JSON, a table, or .h5 of DeepLabCut or SLEAP")
        return hdf5.read(path, truth, skeleton or (truth[0].skeleton if truth else COCO))
    if content.kind in ("openpose", "annotations"):
        return _object(path, truth, skeleton)
    if content.first is None:
        return [replace(scene, people=()) for scene in truth]
    first = content.first if content.first.fields.get("keypoints") else _first_posed(path, content.first)
    if "keypoint_annotations" in content.first.fields:
        return _submitted(path, truth)
    if "image_id" not in first.fields or is_named(first.fields.get("keypoints")):
        return instances.read_instances([path], truth, skeleton)
    return _results(path, first, truth, skeleton)


def _first_posed(path: Path, first: Record) -> Record:
    """Return the first record that has keypoints, where those before it have none; else the first of all."""
    if not {"image_id", "category_id"} <= first.fields.keys():
        return first
    found = records_in(read_json(path), str(path), "record")
    return next((record for record in found if record.fields.get("keypoints")), first)


def named_pictures(path: Path, records: Sequence[Record], skeleton: Skeleton | None = None) -> list[Scene]:
    """Return the pictures that COCO results name, in their order, without people or size, to read these into.

    skeleton: as for `read_predictions`. Raises DataError.
    """
    own = skeleton or _skeleton_beside(path, records[0]) or _skeleton_by_count(records[0], [])
    return [Scene("", own, id=name) for name in dict.fromkeys(record.identity("image_id") for record in records)]


def _folder(folder: Path, truth: Sequence[Scene], skeleton: Skeleton | None) -> list[Scene]:
    """Read a folder of one file a picture, OpenPose's or others'."""
    files = sorted(file for form in ("*.json", "*.json.gz") for file in folder.glob(form))
    others = [file for file in files if not file.name.removesuffix(".gz").endswith(openpose.SUFFIX)]
    if not files or len(others) < len(files):
        return openpose.read_folder(folder, truth, skeleton)
    return instances.read_instances(others, truth, skeleton)


def _object(path: Path, truth: Sequence[Scene], skeleton: Skeleton | None) -> list[Scene]:
    """Read a JSON object: annotations in COCO's format, a picture of OpenPose's, or people somewhere inside."""
    with opened(path) as file:
        start = file.read(LOOKED)
    if _IMAGES.search(start):
        return _annotated(path, truth, skeleton)
    fields = record_of(read_json(path), str(path)).fields
    if {"images", "annotations"} <= fields.keys():
        return _annotated(path, truth, skeleton)
    if "people" in fields and "image_id" not in fields:
        return openpose.read_files([path], truth, skeleton)
    return instances.read_instances([path], truth, skeleton)


def _results(path: Path, first: Record, truth: Sequence[Scene], skeleton: Skeleton | None) -> Sequence[Scene]:
    """Read COCO results; those that name pictures by ids of the truth, as all should, go the short way."""
    own = skeleton or _skeleton_beside(path, first) or _skeleton_by_count(first, truth)
    scenes = truth if not truth or own.keypoints == truth[0].skeleton.keypoints else [
        replace(scene, skeleton=own, people=()) for scene in pictures_of(truth)
    ]  # fmt: skip
    whole = isinstance(first.fields.get("image_id"), int) and all(
        isinstance(scene.id, int) for scene in pictures_of(truth)
    )
    return coco.read_results(path, scenes) if whole else _named_results(path, scenes)


def _named_results(path: Path, scenes: Sequence[Scene]) -> Sequence[Scene]:
    """Read COCO results whose pictures are named: give the scenes those names, and their own back afterwards."""
    find = finder(scenes)
    with opened(path) as file:
        tokens = dict.fromkeys(_IMAGE.findall(file.read()))
    known = (name for token in tokens if (name := _name(token)) is not None)
    names = {find([name], f"{path}: image_id"): name for name in known}
    called = [
        replace(scene, id=names.get(place, f"\0{place}"), people=()) for place, scene in enumerate(pictures_of(scenes))
    ]
    found = coco.read_results(path, called)
    if isinstance(found, Columns):
        return Columns([with_people(scene) for scene in scenes], found.people)
    return [replace(scene, people=guess.people) for scene, guess in zip(scenes, found, strict=True)]


def _name(token: bytes) -> Name | None:
    """Return the name that a piece of JSON is; None where it is damaged, which the reader says better."""
    try:
        name: Name = json.loads(token.decode())
    except ValueError:
        return None
    return name


def described(skeleton: Skeleton, boxes: str) -> dict[str, Any]:
    """Return what the `protocol.json` beside predictions says of their keypoints and of the boxes looked at."""
    return {"skeleton": skeleton.name, "keypoints": skeleton.keypoints, "limbs": skeleton.limbs, "boxes": boxes}


def _skeleton_beside(path: Path, first: Record) -> Skeleton | None:
    """Return the skeleton that the `protocol.json` of `posewright predict` names; None where there is none."""
    protocol = path.with_name("protocol.json")
    if not path.name.startswith("predictions.json") or not protocol.is_file():
        return None
    said = record_of(read_json(protocol), str(protocol))
    names = said.items("keypoints")
    if 3 * len(names) != len(first.items("keypoints")):
        raise first.wrong(
            "keypoints",
            f"must be {3 * len(names)} numbers, as {protocol} names {len(names)} keypoints, "
            f"not {len(first.items('keypoints'))}",
        )
    known = next((s for s in BODIES if list(s.keypoints) == names), None)
    try:
        return known or Skeleton(said.text("skeleton"), tuple(names), tuple((a, b) for a, b in said.items("limbs")))
    except (TypeError, ValueError) as error:
        raise DataError(f"{protocol}: keypoints and limbs must be names: {error}") from None


def _skeleton_by_count(first: Record, truth: Sequence[Scene]) -> Skeleton:
    """Return the truth's skeleton where the count fits it, else the one that the count means; raises DataError."""
    likely = truth[0].skeleton if truth else COCO
    given = first.items("keypoints")
    nested = bool(given) and isinstance(given[0], list)
    count = 3 * len(given) if nested else len(given)
    pairs = count == 2 * len(likely) and not nested
    found = likely if pairs or count == 3 * len(likely) else BY_COUNT.get(count // 3 if count % 3 == 0 else 0)
    if found is None:
        others = [s.name for s in BODIES if count == 3 * len(s)]
        hint = f"; if they are those of {' or '.join(others)}, say so by the skeleton" if others else ""
        raise first.wrong("keypoints", f"must be {3 * len(likely)} numbers ({likely.name}), not {count}{hint}")
    return found


def _annotated(path: Path, truth: Sequence[Scene], skeleton: Skeleton | None) -> list[Scene]:
    """Read annotations in COCO's format as predictions: pictures are joined by their names, else by their ids."""
    scenes = read_annotations(path, path.parent, Dialect(skeleton, scored=True))
    if not any(scene.people for scene in scenes):
        raise DataError(f"{path}: annotations: nobody is in it; an empty list [] is what predicts nobody")
    return placed(_people(path, scenes), truth, scenes[0].skeleton)


def _submitted(path: Path, truth: Sequence[Scene]) -> list[Scene]:
    """Read a submission to AI Challenger, its list of pictures; v is not taken for a prediction of visibility.

    Pictures that the truth does not have are left out, as its evaluator does: its own example has three. Raises
    DataError where the truth has none of them.
    """
    scenes = aic.read(path.parent, "", annotations=path.name)
    silent = [replace(s, people=tuple(replace(person, visible=None) for person in s.people)) for s in scenes]
    found = placed(_people(path, silent), truth, scenes[0].skeleton, strangers=True)
    known = any(scene.people for scene in found) or not any(scene.people for scene in scenes)
    return found if known else placed(_people(path, silent), truth, scenes[0].skeleton)


def _people(path: Path, scenes: Sequence[Scene]) -> Iterator[tuple[str, Sequence[Name], Person]]:
    for scene in scenes:
        names = [str(scene.image)] if scene.id is None else [str(scene.image), scene.id]
        for person in scene.people:
            yield f"{path}: image", names, _scored(person)


def _scored(person: Person) -> Person:
    if person.score is not None:
        return person
    found = person.labelled
    mean = 1.0 if person.scores is None or not found.any() else float(person.scores[found].mean())
    return replace(person, score=mean)
