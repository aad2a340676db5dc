"""Tables: a study as numbers, written as JSON and CSV and read back."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posewright.files import write_whole
from posewright.robustness.attacks.attack import CLEAN, Attack, attack_of
from posewright.robustness.numbers.effect import MARGIN, Effect
from posewright.robustness.numbers.levels import LEVELS

Effects = Mapping[str, Effect]
FORMAT = "posewright occlusion study, 1"
HEAD = ("attack", "kind", "target", "fill", "radius")
TAIL = (*Effect._fields, "verdict")


@dataclass(frozen=True)
class Study:
    """Hold what a study found; every number is an `Effect`.

    protocol: how it was measured; attacks: what was set. clean: the share of correct keypoints in clean pictures,
    "all" and by keypoint, and "AP" and "AP50". By attack's name: changes (`measure.changes`), influence on every
    keypoint (`measure.influence`) and AP, the change of average precision (`precision.precision`). pooled: what
    attacks of a kind and a fill do together, and how two such groups differ (`measure.pooled`), where they leave the
    estimator (`levels.levels`), and how a part differs from its keypoints (`parts.against_keypoints`).

    >>> Study({}, (), {}, {}, {}, {}, {}).margin
    0.02
    """

    protocol: Mapping[str, Any]
    attacks: tuple[Attack, ...]
    clean: Effects
    changes: Mapping[str, Effects]
    influence: Mapping[str, Effects]
    AP: Mapping[str, Effects]
    pooled: Mapping[str, Effects]

    @property
    def margin(self) -> float:
        """Within which a change is called none."""
        return float(self.protocol.get("margin", MARGIN))

    def verdict(self, number: str, effect: Effect) -> str:
        """Say what a change comes to, as `Effect.verdict`; nothing of a number that is no change."""
        return "" if number in LEVELS else effect.verdict(self.margin)


def write_study(study: Study, folder: Path) -> None:
    """Write `study.json`, `effects.csv` and `influence.csv` into a folder, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "effects.csv", _csv("number", _effect_rows(study)))
    write_whole(folder / "influence.csv", _csv("affected", _influence_rows(study)))
    write_whole(folder / "study.json", json.dumps(_content(study), indent=1, allow_nan=False).encode())


def read_study(folder: Path | str) -> Study:
    """Read a study from the folder that it was written into, or from its `study.json`.

    Raises FileNotFoundError where there is none, ValueError where the file holds no study.
    """
    file = Path(folder) if Path(folder).suffix == ".json" else Path(folder) / "study.json"
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file; `posewright occlude` writes it once a study is done")
    try:
        content = json.loads(file.read_text())
        if content.get("format") != FORMAT:
            raise ValueError(f"format must be {FORMAT!r}, not {content.get('format')!r}")
        by_attack = {key: {name: _read(some) for name, some in content[key].items()} for key in _BY_NAME}
        attacks = tuple(attack_of(*(row[key] for key in HEAD[1:])) for row in content["attacks"])
        return Study(content["protocol"], attacks, _read(content["clean"]), **by_attack)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file}: is no study: {error}") from None


RENAMED = {"foretold": "pearson_r"}
"""Numbers by the names that studies written before gave them."""
_BY_NAME = ("changes", "influence", "AP", "pooled")


def _content(study: Study) -> dict[str, Any]:
    attacks = [{"name": a.name, "kind": a.kind, "target": a.target, "fill": a.fill, "radius": a.radius}
               for a in study.attacks]  # fmt: skip
    content = {"format": FORMAT, "protocol": dict(study.protocol), "clean": _said(study, study.clean, False)}
    named = {key: {name: _said(study, some, True) for name, some in getattr(study, key).items()} for key in _BY_NAME}
    return content | {"attacks": attacks} | named


def _said(study: Study, some: Effects, verdicts: bool) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, effect in some.items():
        found[name] = {key: _number(value) for key, value in effect._asdict().items()}
        if verdicts and name not in LEVELS:
            found[name]["verdict"] = study.verdict(name, effect)
    return found


def _read(some: Mapping[str, Mapping[str, Any]]) -> dict[str, Effect]:
    return {
        RENAMED.get(name, name): Effect(
            *(math.nan if values.get(key) is None else float(values[key]) for key in Effect._fields)
        )
        for name, values in some.items()
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def plain(effect: Effect, margin: float | None = None) -> dict[str, Any]:
    """Return an effect as JSON has it, null where there is no data, with its verdict where there is a margin."""
    found: dict[str, Any] = {key: _number(value) for key, value in effect._asdict().items()}
    return found if margin is None else found | {"verdict": effect.verdict(margin)}


def _effect_rows(study: Study) -> Iterator[list[Any]]:
    """Yield a row for every number of the clean pictures, of each attack, and of attacks together."""
    for name, effect in study.clean.items():
        yield [CLEAN, "", "", "", "", name, *_cells(effect), ""]
    for attack in study.attacks:
        for name, effect in {**study.changes[attack.name], **study.AP[attack.name]}.items():
            yield [*_head(attack), name, *_cells(effect), study.verdict(name, effect)]
    for group, some in study.pooled.items():
        for name, effect in some.items():
            yield [group, "pooled", "", "", "", name, *_cells(effect), study.verdict(name, effect)]


def _influence_rows(study: Study) -> Iterator[list[Any]]:
    for attack in study.attacks:
        for name, effect in study.influence[attack.name].items():
            yield [*_head(attack), name, *_cells(effect), study.verdict(name, effect)]


def _head(attack: Attack) -> list[Any]:
    return [attack.name, attack.kind, attack.target, attack.fill, "" if attack.radius is None else attack.radius]


def _cells(effect: Effect) -> list[Any]:
    return ["" if _number(value) is None else value for value in effect]


def _csv(what: str, rows: Iterator[list[Any]]) -> bytes:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*HEAD, what, *TAIL])
    table.writerows(rows)
    return text.getvalue().encode()
