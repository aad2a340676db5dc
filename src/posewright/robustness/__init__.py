"""The occlusion study: hide keypoints and body parts, and measure what that does to anybody's estimator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from posewright.metrics.score import versions
from posewright.metrics.trust.confidence import GROUPS
from posewright.pieces import Share
from posewright.robustness.answers.ask import Answers, Estimator, Track, digest, run
from posewright.robustness.answers.truth import Asked, keep
from posewright.robustness.attacks.attack import CLEAN, Attack, Hide, chosen, object_attacks, standard_attacks
from posewright.robustness.attacks.subjects import SIZE, Subject, cut_for, subjects
from posewright.robustness.numbers import precision as average_precision
from posewright.robustness.numbers.effect import DRAWS, MARGIN, Effect
from posewright.robustness.numbers.levels import levels
from posewright.robustness.numbers.measure import changes, clean, groups_of, influence, measured, pooled
from posewright.robustness.numbers.natural import natural
from posewright.robustness.numbers.parts import against_keypoints
from posewright.robustness.numbers.ranks import ranks
from posewright.robustness.numbers.right import RuleName, customary
from posewright.robustness.numbers.sides import sides
from posewright.robustness.numbers.tables import Study, read_study, write_study
from posewright.scene import PADDING, Floats, Scene, padding_told, translated
from posewright.skeleton import Skeleton

__all__ = ["Attack", "Effect", "Study", "judged", "object_attacks", "people_for", "read_study", "skeleton_of",
           "standard_attacks", "study", "write_study"]  # fmt: skip

PASSING = ("threads",)
"""What an estimator says of itself that is no part of a protocol: it changes from hour to hour, and no number."""


def study(
    estimator: Estimator,
    scenes: Sequence[Scene],
    occluders: Mapping[str, Hide] | Iterable[Attack] | None = None,
    *,
    out: Path | str | None = None,
    boxes: Sequence[Sequence[Floats]] | None = None,
    most: int | None = None,
    whole: bool = False,
    rule: RuleName | None = None,
    name: str = "",
    draws: int = DRAWS,
    seed: int = 0,
    margin: float = MARGIN,
    track: Track = lambda items, total: items,  # noqa: ARG005
    protocol: Mapping[str, Any] | None = None,
    share: Share = map,
) -> Study:
    """Attack the people of scenes, ask an estimator about them clean and attacked, and tell what changed.

    estimator(pixels, boxes) returns people or an array (N, K, 3) of x, y, score in px of the pixels it was given. It is
    shown people as its `view` says: a `TopDown` the crops that it would cut itself, a `BottomUp` whole pictures, of
    which one person's window is attacked; a callable without a view crops of `subjects.SIZE`. What it says is in the
    skeleton of its codec, in its `skeleton`, or else in that of the scenes, and the truth is put into the same words.
    occluders: callables (crop, rng) -> crop by name, as `Occluder` is, or some of `standard_attacks(skeleton)`; None
    sets all of these.

    out: a folder for `study.json`, the tables, and the answers, from which the same call goes on where it was
    interrupted. boxes: detected ones, xyxy px, for each scene; a person without any overlapping one is not asked
    about. most: people at most. whole: show whole pictures to any estimator. rule: when a keypoint is right, "torso",
    "head" or "similarity"; by default what is customary for the data, whatever the estimator's keypoints. name: what
    the study is called beside others. draws: bootstrap samples of the pictures. margin: a change within it is called
    none. track wraps the attacks to show progress, as track(attacks, how many). protocol: what else to say about it.
    share: what does the attacks, as `pieces.shared` gives it for a cluster.

    Raises ValueError where there is nobody to attack, an attack is none, an answer has another form, or the
    folder holds another study.

    >>> found = study(load(), read("lsp:lspet", "test"), most=200, out="study")  # doctest: +SKIP
    >>> found.clean["all"].value  # doctest: +SKIP
    0.686
    """
    if draws < 1 or seed < 0 or not margin > 0:
        raise ValueError(
            f"draws must be 1 or more, seed 0 or more and margin above 0, not {draws}, {seed} and {margin:g}"
        )
    people = people_for(estimator, scenes, boxes, most, whole)
    listed = chosen(occluders, people[0].crop.skeleton)
    folder = None if out is None else Path(out)
    about = about_of(estimator, people, seed) | {"boxes": "annotated" if boxes is None else "detected"}
    about |= protocol or {}
    answers = run(estimator, people, listed, folder, about, seed, track, share)
    told = ({"name": name} if name else {}) | about | {"rule": rule or customary(scenes[0].skeleton)}
    found = judged(people, scenes, answers, listed, told, draws, seed, margin)
    if folder is not None:
        keep(folder, Asked(translated(scenes, people[0].crop.skeleton), people))
        write_study(found, folder)
    return found


def people_for(
    estimator: Any,
    scenes: Sequence[Scene],
    boxes: Sequence[Sequence[Floats]] | None = None,
    most: int | None = None,
    whole: bool = False,
) -> list[Subject]:
    """Cut out the people of scenes as an estimator is asked about them; raises ValueError where there is nobody."""
    if most is not None and most < 1:
        raise ValueError(f"most must be 1 or more people, not {most}")
    if boxes is not None and len(boxes) != len(scenes):
        raise ValueError(f"boxes are of {len(boxes)} scenes, but there are {len(scenes)}")
    skeleton = skeleton_of(estimator)
    own = scenes if skeleton is None else translated(scenes, skeleton)
    people = subjects(own, boxes=boxes, most=most, **cut_for(estimator, whole))
    if not people:
        box = "a box" if boxes is None else "a box that overlaps a detected one"
        raise ValueError(
            f"nobody to attack: in these {len(scenes)} pictures nobody has {box} and a keypoint the estimator knows"
        )
    return people


def skeleton_of(estimator: Any) -> Skeleton | None:
    """Return the skeleton that an estimator speaks in, where it says so: its codec's, or its own."""
    return getattr(getattr(estimator, "codec", None), "skeleton", None) or getattr(estimator, "skeleton", None)


def about_of(estimator: Any, people: Sequence[Subject], seed: int) -> dict[str, Any]:
    """Say what a study is of: the estimator as it describes itself, and who it is asked about."""
    told = estimator.protocol() if callable(getattr(estimator, "protocol", None)) else {}
    told = told or {"estimator": getattr(estimator, "__qualname__", type(estimator).__qualname__)}
    in_whole = people[0].picture is not None
    shown: dict[str, Any] = {
        "crop": list(people[0].crop.pixels.shape[1::-1]),
        "padding": padding_told(cut_for(estimator).get("padding", PADDING)),
    }
    if in_whole:
        shown = {
            "crop": "whole picture, one person attacked at a time",
            "attacked": f"a window {PADDING} times the box, shaped as {SIZE[0]}x{SIZE[1]}; lengths are of its width",
        }
    return {key: value for key, value in told.items() if key not in PASSING} | {
        "skeleton": people[0].crop.skeleton.name,
        **shown,
        "people": len(people),
        "people_sha256": digest(people),
        "seed": seed,
    }


def judged(
    people: Sequence[Subject],
    scenes: Sequence[Scene],
    answers: Mapping[str, Answers],
    listed: Sequence[Attack],
    about: Mapping[str, Any],
    draws: int = DRAWS,
    seed: int = 0,
    margin: float = MARGIN,
) -> Study:
    """Tell what answers say, whoever gave them: all numbers of a study, from who was asked about and what was said.

    scenes: those that `people` were cut out of. Raises ValueError where the customary rule can judge nobody.
    """
    groups = groups_of(people, scenes)
    m = measured(people, answers, about.get("rule"), groups)
    other = (m.rule.fallback & m.asked.any(axis=1)).sum()
    truth = average_precision.truth_of(translated(scenes, m.skeleton), people)
    AP = average_precision.precision(people, truth, answers, listed, draws, seed)
    together = pooled(m, listed, draws, seed)
    for more in (
        levels(m, listed, draws, seed),
        ranks(m, listed, draws, seed),
        natural(m, people, listed, draws, seed),
        sides(m, listed, draws, seed),
    ):
        for group, some in more.items():
            together[group] = together.get(group, {}) | some
    protocol = {
        **about,
        "right": m.rule.name,
        "judged": int(m.asked.any(axis=1).sum()),
        **({"judged_by_another_length": f"{int(other)} people, by {m.rule.how}"} if other else {}),
        "AP": average_precision.protocol(truth),
        "pictures": len({one.scene for one in people}),
        **({} if groups is None else {"groups": m.scenes, "drawn": GROUPS}),
        "intervals": "95 %, expanded percentiles over bootstrap samples of the pictures; p below 60 pictures by t",
        "draws": draws,
        "draws_of_AP": average_precision.draws_of(draws),
        "margin": margin,
        "equivalence": "none: the 90 % interval lies within the margin, and the pictures are worth 3 / margin or 10 "
        "changed; small: and the 95 % one leaves 0; lower, higher: at least 6 pictures changed",
        **versions(),
    }
    return Study(
        protocol,
        tuple(listed),
        clean(m, draws, seed) | AP.pop(CLEAN),
        changes(m, listed, draws, seed),
        influence(m, listed, draws, seed),
        AP,
        together | against_keypoints(m, listed, draws, seed),
    )
