"""Export: the pictures of a study as files, clean and attacked, so that any tool whatsoever can be studied.

    occluded/
      manifest.json      what was done, whom it shows, and of every picture who, which attack, and where to look
      annotations.json   the same pictures in COCO's format: one person each, with box, keypoints and visibility
      pictures/          clean-000000.png, keypoints-left_knee-blur-6-000000.png, ...

Pictures are lossless. One that an attack does not change is not written: the answer to the clean one stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright import picture
from posewright.datasets import coco
from posewright.datasets.documents import read_json, write_json
from posewright.datasets.records import DataError, Record, record_of, records_in
from posewright.robustness.answers.ask import AT_ONCE, Track, attacked, changed, claim, covered, digest
from posewright.robustness.answers.truth import Asked, asked_of, points, told
from posewright.robustness.attacks.attack import CLEAN, Attack, Hide, attack_of, chosen
from posewright.robustness.attacks.subjects import Subject
from posewright.scene import HIDDEN, Crop, Scene
from posewright.skeleton import Skeleton

FORMAT = "posewright occluded pictures, 1"
MANIFEST = "manifest.json"
PICTURES = "pictures"
LARGEST_SEED = (1 << 63) - 1
KEYS = {
    "people": "whom the pictures show: place in `scenes`, warp and size of the crop, and the true keypoints "
    "in px of it, null where absent; (0, 0) is the centre of the top-left pixel",
    "pictures": "`person` is a place in `people`; `box` x0, y0, x1, y1 px, where to look; `visible` of the keypoints "
    "after the attack: 0 absent, 1 hidden, 2 seen; `covered` 1 where the occluder lies on one",
    "unchanged": "people whose picture an attack leaves as it is: the answer to their clean picture stands",
    "predictions": "COCO results with the pictures' ids, or any other form that `posewright score` reads; a picture "
    "without one is a miss; a tool without scores writes 1 for every keypoint's",
}
"""What the manifest says about itself."""


class Shown(NamedTuple):
    """Say of one picture who is in it, under which attack, and what that covers; file None: it is the clean one."""

    id: int
    file: str | None
    person: int
    attack: str
    covered: NDArray[np.bool_]


class Manifest(NamedTuple):
    """Hold what a manifest says; folder: that it lies in, beside which no file is ever opened."""

    folder: Path
    about: Mapping[str, Any]
    asked: Asked
    attacks: list[Attack]
    pictures: list[Shown]
    seed: int


def export(
    scenes: Sequence[Scene],
    people: Sequence[Subject],
    out: Path | str,
    occluders: Mapping[str, Hide] | Iterable[Attack] | None = None,
    *,
    seed: int = 0,
    protocol: Mapping[str, Any] | None = None,
    track: Track = lambda items, total: items,  # noqa: ARG005
) -> Path:
    """Write everybody's crop, clean and under every attack, with a manifest; returns the manifest's path.

    scenes: those that `people` were cut out of, in the words of the same skeleton. occluders: as of `study`. What
    the folder holds already is not written again. Raises ValueError where the folder holds another export.
    """
    out = Path(out)
    listed = chosen(occluders, people[0].crop.skeleton)
    about = {**(protocol or {}), "seed": seed, "people": len(people), "people_sha256": digest(people)}
    (out / PICTURES).mkdir(parents=True, exist_ok=True)
    claim(out / "about.json", about)
    shown = [Shown(n + 1, _write(out, CLEAN, n, one.crop), n, CLEAN, _nothing(one)) for n, one in enumerate(people)]
    for number, attack in enumerate(track(listed, len(listed)), 1):
        shown += _attack(out, people, attack, number, seed)
    _annotate(out, people, shown)
    write_json(out / MANIFEST, _content(about, Asked(list(scenes), list(people)), listed, shown))
    return out / MANIFEST


def _attack(out: Path, people: Sequence[Subject], attack: Attack, number: int, seed: int) -> list[Shown]:
    """Write the pictures of one attack; their ids follow from its number and the person's place alone."""
    found = []
    for start in range(0, len(people), AT_ONCE):
        some = people[start : start + AT_ONCE]
        for n, (one, crop) in enumerate(zip(some, attacked(some, attack, seed, start), strict=True), start):
            file = _write(out, attack.name, n, crop, attack.kind in ("own", "objects")) if changed(one, crop) else None
            found.append(Shown(number * len(people) + n + 1, file, n, attack.name, covered(one, crop)))
    return found


def _write(out: Path, attack: str, person: int, crop: Crop, anew: bool = False) -> str:
    file = f"{PICTURES}/{attack}-{person:06d}.png"
    if anew or not (out / file).exists():
        picture.write(out / file, crop.pixels)
    return file


def _nothing(one: Subject) -> NDArray[np.bool_]:
    return np.zeros(len(one.truth), bool)


def visible_after(one: Subject, hidden: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(K,) how visible a person's keypoints are behind an occluder that covers some of them."""
    before = np.where(one.truth.labelled, 2, 0) if one.truth.visible is None else one.truth.visible
    return np.where(hidden, np.minimum(before, HIDDEN), before).astype(np.uint8)


def _annotate(out: Path, people: Sequence[Subject], shown: Sequence[Shown]) -> None:
    scenes = []
    for one in shown:
        if one.file is not None:
            subject = people[one.person]
            seen = replace(subject.truth, visible=visible_after(subject, one.covered), box=subject.box, id=one.id,
                           mask=None, cause=None, points3d=None)  # fmt: skip
            scenes.append(Scene(out / one.file, subject.crop.skeleton, (seen,), subject.crop.warp.size, id=one.id))
    coco.write(scenes, out, PICTURES)


def _content(
    about: Mapping[str, Any], asked: Asked, listed: Sequence[Attack], shown: Sequence[Shown]
) -> dict[str, Any]:
    attacks = [{"name": a.name, "kind": a.kind, "target": a.target, "fill": a.fill, "radius": a.radius} for a in listed]
    content = told(asked)
    for entry, one in zip(content["people"], asked.people, strict=True):
        entry["keypoints"] = points(one.truth.keypoints)
    rows = [_row(one, asked.people[one.person]) for one in shown if one.file is not None]
    same = [
        {"person": one.person, "attack": one.attack, "covered": one.covered.astype(int).tolist()}
        for one in shown
        if one.file is None
    ]
    head = {"format": FORMAT, "keys": KEYS, "about": dict(about), "attacks": attacks}
    return head | content | {"pictures": rows, "unchanged": same}


def _row(one: Shown, subject: Subject) -> dict[str, Any]:
    return {
        "id": one.id,
        "file": one.file,
        "person": one.person,
        "attack": one.attack,
        "box": subject.box.tolist(),
        "visible": visible_after(subject, one.covered).tolist(),
        "covered": one.covered.astype(int).tolist(),
    }


def read_manifest(path: Path | str) -> Manifest:
    """Read a manifest, or that of a folder; raises DataError, also for a picture that lies outside its folder."""
    path = Path(path) / MANIFEST if Path(path).is_dir() else Path(path)
    content = record_of(read_json(path), str(path))
    if content.fields.get("format") != FORMAT:
        raise content.wrong("format", f"must be {FORMAT!r}, as `posewright occlude export` writes it")
    asked = asked_of(content)
    skeleton = asked.people[0].crop.skeleton
    listed = _attacks(content, skeleton)
    names, count = {CLEAN, *(attack.name for attack in listed)}, len(asked.people)
    found = [
        Shown(record.whole("id", 1), _inside(path.parent, record), *_of(record, count, names, len(skeleton)))
        for record in content.records("pictures", "picture")
    ]
    found += [
        Shown(0, None, *_of(record, count, names - {CLEAN}, len(skeleton)))
        for record in records_in(content.items("unchanged"), content.where, "unchanged picture")
    ]
    _check(content, found, count, len(names))
    about = record_of(content.get("about"), f"{path}: about")
    seed = about.whole("seed", 0, LARGEST_SEED) if "seed" in about.fields else 0
    return Manifest(path.parent, dict(about.fields), asked, listed, found, seed)


def _attacks(content: Record, skeleton: Skeleton) -> list[Attack]:
    listed = []
    for record in content.records("attacks", "attack"):
        radius = record.number("radius", 0.0) if record.has("radius") else None
        fill = record.fields.get("fill")
        try:
            listed.append(attack_of(record.text("kind"), record.text("target"), str(fill or ""), radius))
        except KeyError as error:
            raise record.wrong("fill", f"must be one that there is, not {error}") from None
    try:
        return chosen(listed, skeleton)
    except ValueError as error:
        raise content.wrong("attacks", str(error)) from None


def _of(record: Record, people: int, names: set[str], count: int) -> tuple[int, str, NDArray[np.bool_]]:
    attack = record.text("attack")
    if attack not in names:
        raise record.wrong("attack", f"{attack!r} is none of the manifest's attacks")
    return record.whole("person", 0, people - 1), attack, record.choices("covered", count, (0, 1)).astype(bool)


def _inside(folder: Path, record: Record) -> str:
    """Return a picture's path within the folder; raises DataError for one that leads out of it."""
    file = record.text("file")
    if Path(file).is_absolute() or not (folder / file).resolve().is_relative_to(folder.resolve()):
        raise record.wrong("file", f"{file!r} lies outside the manifest's folder")
    return file


def _check(content: Record, found: Sequence[Shown], people: int, attacks: int) -> None:
    """Raise DataError unless everybody is there once, clean and under every attack, and ids are distinct."""
    pairs = {(one.attack, one.person) for one in found}
    if len(pairs) != len(found) or len(found) != people * attacks:
        raise content.wrong(
            "pictures",
            f"{people} people, clean and under {attacks - 1} attacks, are {people * attacks}, not {len(pairs)}",
        )
    ids = [one.id for one in found if one.file is not None]
    if len(set(ids)) != len(ids):
        raise content.wrong("pictures", "an id stands twice")


def with_pixels(manifest: Manifest) -> list[Subject]:
    """Return the people of a manifest with the pixels of their clean pictures; raises PictureError."""
    files = {one.person: one.file for one in manifest.pictures if one.attack == CLEAN and one.file is not None}
    found = []
    for n, one in enumerate(manifest.asked.people):
        pixels = picture.read(manifest.folder / files[n])
        if pixels.shape != one.crop.pixels.shape:
            size, wanted = pixels.shape[1::-1], one.crop.warp.size
            raise DataError(f"{manifest.folder / files[n]}: is {size} px, not {wanted} as the manifest says")
        found.append(replace(one, crop=replace(one.crop, pixels=pixels)))
    return found
