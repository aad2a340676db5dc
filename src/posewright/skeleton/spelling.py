"""Spelling: the usual styles of a keypoint's name told to be one name.

`LShoulder`, `shoulder_left`, `l_shoulder`, `Left Shoulder`, `leftShoulder`, `shoulder.L`, `l_sho` and `lsho` are
`left_shoulder`: lower case, the side first, words joined by underscores. What may be a side and may be none, as the
first letter of `rear`, is one where the other side stands beside it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence

SIDES = {"left": "left", "lft": "left", "right": "right", "rgt": "right", "l": "left", "r": "right"}
OTHER = {"left": "right", "right": "left"}
PAIRED = frozenset(
    "shoulder elbow wrist hand thumb hip knee ankle foot heel toe big_toe small_toe eye ear cheek arm leg thigh calf "
    "paw hoof wing".split()
)
"""What people and animals have on both sides, so that one letter before or behind it is a side."""
_SHORT = {
    "sho": "shoulder", "shld": "shoulder", "shldr": "shoulder", "shoul": "shoulder", "elb": "elbow", "elbo": "elbow",
    "wri": "wrist", "wrs": "wrist", "wrst": "wrist", "kne": "knee", "ank": "ankle", "ankl": "ankle",
    "bigtoe": "big_toe", "btoe": "big_toe", "smalltoe": "small_toe", "stoe": "small_toe", "headtop": "head_top",
    "midhip": "mid_hip", "upperneck": "upper_neck",
}  # fmt: skip
_WITH_SIDE = {"sh": "shoulder", "el": "elbow", "wr": "wrist", "hp": "hip", "kn": "knee", "an": "ankle"}
_KIN = {
    "top_head": "head_top", "top_of_head": "head_top", "bottom_head": "head_bottom", "hip_mid": "mid_hip",
    "hip_center": "mid_hip", "hip_centre": "mid_hip", "center_hip": "mid_hip", "neck_upper": "upper_neck",
}  # fmt: skip
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_STRANGE = re.compile(r"[^\w\s.,;:/()#'-]")
"""What no usual style has: a name with it stays as it is."""
_GLUED = re.compile(r"^(?P<before>left|right|[lr])?(?P<rest>.+?)(?P<behind>left|right|[lr])?$")

Reading = tuple[str, str, bool]
"""A side ("" for none), the rest of the name, and whether the name by itself leaves no doubt of it."""


def spelt(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names in the one spelling, each in view of the others.

    >>> spelt(["LShoulder", "shoulder_right", "L Elb", "rsho", "Nose", "MidHip"])
    ('left_shoulder', 'right_shoulder', 'left_elbow', 'right_shoulder', 'nose', 'mid_hip')
    >>> spelt(["rear", "tail"]), spelt(["lear", "rear"]), spelt(["L1", "L2"]), spelt(["L1", "R1"])
    (('rear', 'tail'), ('left_ear', 'right_ear'), ('l1', 'l2'), ('left_1', 'right_1'))
    """
    readings = [_readings(name) for name in names]
    possible = {reading[:2] for some in readings for reading in some}
    return tuple(_chosen(some, possible) for some in readings)


def mirrored_name(name: str) -> str:
    """Name what a mirror shows: left and right change places, the rest stays.

    >>> mirrored_name("left_knee"), mirrored_name("nose")
    ('right_knee', 'nose')
    """
    side, line, rest = name.partition("_")
    return f"{OTHER[side]}{line}{rest}" if side in OTHER else name


def doubtful(names: Sequence[str]) -> list[str]:
    """Return the names whose place in a mirror cannot be told; of several names, all where none has a counterpart.

    These are those with a side whose counterpart is missing, those that may have a side, and pairs that a number or
    a letter tells apart.

    >>> doubtful(["left_ear", "right_ear", "tail"]), doubtful(["left_ear", "left_paw", "right_paw"])
    ([], ['left_ear'])
    >>> doubtful(["kp1", "kp2", "kp3"])
    ['kp1', 'kp2', 'kp3']
    >>> doubtful(["LPaw", "RPaw", "ear1", "ear2"]), doubtful(["l_x", "left_paw", "right_paw"])
    (['ear1', 'ear2'], ['l_x'])
    """
    plain = spelt(names)
    if len(names) > 1 and not any(mirrored_name(name) != name and mirrored_name(name) in plain for name in plain):
        return list(names)
    twins = Counter(_stem(name) for name in plain)
    return [
        name
        for name, key in zip(names, plain, strict=True)
        if (mirrored_name(key) != key and mirrored_name(key) not in plain)
        or (mirrored_name(key) == key and any(word in ("l", "r") for word in key.split("_")))
        or (mirrored_name(key) == key and _stem(key) != key and twins[_stem(key)] == 2)
    ]


def _stem(name: str) -> str:
    """Cut off what may tell two of a pair apart."""
    return re.sub(r"_?\d+$|_[ab]$", "", name) or name


def _readings(name: str) -> list[Reading]:
    """Return what a name may mean, likeliest first; the last is always the name without a side."""
    if _STRANGE.search(name):
        return [("", name, True)]
    words = [word.lower() for word in re.split(r"[\W_]+", _HUMPS.sub("_", name)) if word] or [name.lower()]
    sided = [place for place, word in enumerate(words) if word in SIDES]
    long = [place for place in sided if len(words[place]) > 1]
    found: list[Reading] = []
    for place in long or sided:
        if len(long or sided) == 1:
            rest = _joined(words[:place] + words[place + 1 :], {**_SHORT, **_WITH_SIDE})
            found.append((SIDES[words[place]], rest, bool(long) or _paired(rest)))
    if not sided:
        found += [reading for end in (0, -1) for reading in _unglued(words, end)]
    return [*found, ("", _joined(words, _SHORT), True)]


def _unglued(words: list[str], end: int) -> list[Reading]:
    """Return the readings of a side that stands without a mark before the first word or behind the last."""
    match = _GLUED.match(words[end])
    side = match and match["behind" if end else "before"]
    if not match or not side:
        return []
    cut = words[end][: -len(side)] if end else words[end][len(side) :]
    rest = _joined([*words[:end], cut] if end else [cut, *words[1:]], _SHORT)
    told = len(side) > 1 or rest in PAIRED or cut in PAIRED or (bool(end) and _paired(rest))
    return [(SIDES[side], rest, "rear" not in words and told)] if cut else []


def _paired(name: str) -> bool:
    return name in PAIRED or not PAIRED.isdisjoint(name.split("_"))


def _joined(words: Sequence[str], short: dict[str, str]) -> str:
    name = "_".join(short.get(word, word) for word in words)
    return _KIN.get(name, name)


def _chosen(readings: Sequence[Reading], possible: Collection[tuple[str, str]]) -> str:
    """Return the first reading that is sure, or whose other side is among the names."""
    sure: Callable[[Reading], bool] = lambda one: one[2] or (OTHER.get(one[0], ""), one[1]) in possible  # noqa: E731
    side, rest, _ = next(one for one in readings if sure(one))
    return "_".join(part for part in (side, rest) if part)
