"""Categories: what a file in COCO's format says of the keypoints that are labelled in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from posewright.datasets.bodies import BODIES, BY_COUNT
from posewright.datasets.records import DataError, Record, record_of, say, shown
from posewright.skeleton import SKELETONS, Skeleton
from posewright.skeleton.spelling import spelt

HOUSE = "posewright"
"""The key under which an annotation, image or category keeps what COCO's format has no field for."""

Skeletons = dict[int | str, Skeleton | None]


def skeletons_of(
    file: Record,
    given: Skeleton | None = None,
    annotations: Sequence[Record] = (),
    unnamed: Skeleton | None = None,
    category: str | None = None,
) -> Skeletons:
    """Return each category's skeleton by the category's id; None for one that is not read, as one without keypoints.

    given: what all are. unnamed: what keypoints are where no category names them; without it the count in the
    annotations tells, where it does. category: the name or id of the one to read; where several differ and none is
    named, it is that of most annotations, with a DataWarning. Raises DataError.
    """
    if not file.fields.get("categories"):
        ids = {record.identity("category_id") for record in annotations}
        return dict.fromkeys(ids, given or _by_count(file, annotations, unnamed))
    records = {record.identity("id"): record for record in file.records("categories", "category")}
    if given is not None:
        return dict.fromkeys(records, given)
    found: Skeletons = {key: skeleton_of(r) if r.fields.get("keypoints") else None for key, r in records.items()}
    if not any(found.values()):
        return dict.fromkeys(records, _by_count(file, annotations, unnamed))
    if category is not None:
        return _only(file, found, records, category)
    if len({s.spelt for s in found.values() if s is not None}) > 1:
        return _most(file, found, records, annotations)
    return found


def _only(file: Record, found: Skeletons, records: Mapping[int | str, Record], category: str) -> Skeletons:
    """Leave all but one category out."""
    kept = {key: s for key, s in found.items() if s and category in (str(key), records[key].fields.get("name"))}
    if not kept:
        there = ", ".join(_label(records[key]) for key, skeleton in found.items() if skeleton)
        raise file.wrong("categories", f"none called {category!r} has keypoints; there are {there}")
    return {key: kept.get(key) for key in found}


def _most(
    file: Record, found: Skeletons, records: Mapping[int | str, Record], annotations: Sequence[Record]
) -> Skeletons:
    """Keep the categories of one skeleton, which most annotations are of."""
    amount = Counter({key: 0 for key, skeleton in found.items() if skeleton})
    known = (record.fields.get("category_id") for record in annotations if record.fields.get("keypoints"))
    amount.update(key for key in known if isinstance(key, int | str) and key in amount)
    ((first, most), *others) = amount.most_common()
    own = found[first]
    listed = ", ".join(f"{_label(records[key])} ({count})" for key, count in amount.most_common())
    how = f"choose one by its name behind the file's, as in {file.where}#{_label(records[others[0][0]])}"
    if own is None or any(count == most and (s := found[key]) and s.spelt != own.spelt for key, count in others):
        raise file.wrong("categories", f"the categories have different keypoints: {listed}; {how}")
    say(f"{file.where}: several categories have keypoints: {listed}; {_label(records[first])} is read; {how}")
    return {key: s if s is not None and s.spelt == own.spelt else None for key, s in found.items()}


def _label(category: Record) -> str:
    return str(category.fields.get("name") or category.identity("id"))


def _by_count(file: Record, annotations: Sequence[Record], unnamed: Skeleton | None) -> Skeleton:
    """Return the skeleton of keypoints that no category names."""
    counts = Counter(count for record in annotations if (count := count_of(record.fields.get("keypoints"))))
    ((count, _),) = counts.most_common(1) or [(0, 0)]
    if unnamed is not None and count in (0, len(unnamed)):
        return unnamed
    found = BY_COUNT.get(count)
    if found is None:
        same = [body.name for body in BODIES if len(body) == count]
        hint = f"; {count} a person may be those of {', '.join(same)}: score says which by --skeleton" if same else ""
        raise file.wrong(
            "categories", f"no category has keypoints; a keypoint file's category lists them by name{hint}"
        )
    say(f"{file.where}: no category names its keypoints; {count} of them are taken for those of {found.name}")
    return found


def count_of(keypoints: Any) -> int:
    """Return how many keypoints a list of triples holds, flat or nested; 0 for none."""
    if not isinstance(keypoints, list) or not keypoints:
        return 0
    return len(keypoints) if isinstance(keypoints[0], list) else len(keypoints) // 3


def skeleton_of(category: Record) -> Skeleton:
    """Return the skeleton that a category describes: a known one where the names are its names, else a new one.

    Names are compared in the one spelling; a "head" beside a "neck" may be a known "head_top". Limbs count from 1 in
    COCO's format; where some do not fit, none is taken, with a DataWarning, for they are only drawn. sigmas and
    sides (pairs of names that a mirror exchanges) stand beside the names, or under "posewright". Raises DataError.
    """
    names = category.items("keypoints")
    if not names or not all(isinstance(name, str | int) and name != "" for name in names):
        raise category.wrong("keypoints", "must be a list of names")
    plain = spelt([str(name) for name in names])
    raised = tuple("head_top" if name == "head" else name for name in plain)
    house = record_of(category.fields.get(HOUSE) or {}, f"{category.where}: {HOUSE}")
    said = {field: r for field in ("sigmas", "sides") for r in (house, category) if r.fields.get(field)}
    known = next((known for known in SKELETONS if known.keypoints in (plain, raised)), None)
    if known is not None and category not in said.values():
        return known
    teller = said.get("sigmas")
    sigmas = None if teller is None else checked_sigmas(teller.items("sigmas"), names, f"{teller.where}: sigmas")
    name = house.text("skeleton") if house.has("skeleton") else category.fields.get("name")
    source = house.text("sigmas_source") if house.has("sigmas_source") else "the file's category"
    try:
        return Skeleton(
            name if isinstance(name, str) and name else "own",
            plain,
            _limbs(category, plain),
            sigmas,
            "none published" if sigmas is None and not house.has("sigmas_source") else source,
            _pairs(said["sides"], plain) if "sides" in said else None,
        )
    except DataError:
        raise
    except ValueError as error:
        raise category.wrong("keypoints", str(error)) from None


def checked_sigmas(values: Sequence[Any], names: Sequence[Any], where: str) -> tuple[float, ...]:
    """Return sigmas as numbers; raises DataError, which names keypoint and value, unless each is in (0, 1].

    A sigma is a share of the square root of the area: COCO's lie between 0.025 and 0.107.
    """
    if len(values) != len(names):
        raise DataError(f"{where}: must be {len(names)} numbers, one a keypoint, not {len(values)}")
    for name, value in zip(names, values, strict=True):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            raise DataError(f"{where}: {name}: must be a number above 0 and at most 1, not {shown(value)}")
    return tuple(map(float, values))


def _pairs(record: Record, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return pairs of names, as the file or in the one spelling."""
    pairs = record.items("sides")
    if not all(isinstance(pair, list) and len(pair) == 2 and all(isinstance(n, str) for n in pair) for pair in pairs):
        raise record.wrong("sides", "must be pairs of keypoints' names")
    written = dict(zip(record.fields.get("keypoints", names), names, strict=False))
    return tuple((written.get(a, a), written.get(b, b)) for a, b in pairs)


def _limbs(category: Record, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    limbs = category.fields.get("skeleton") or []
    odd = [limb for limb in limbs if not _fits(limb, len(names))] if isinstance(limbs, list) else [limbs]
    if odd:
        first = odd[0] if isinstance(odd[0], list) and len(odd[0]) < 4 else shown(odd[0])
        say(f"{category.where}: skeleton: limbs are two numbers from 1 to {len(names)}, not {first}; none is drawn")
        return ()
    return tuple((names[a - 1], names[b - 1]) for a, b in limbs)


def _fits(limb: Any, count: int) -> bool:
    return isinstance(limb, list) and len(limb) == 2 and all(type(end) is int and 1 <= end <= count for end in limb)
