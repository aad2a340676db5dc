"""Losses: how much worse one network is than another on the same people, shown as they are and occluded."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np

from posewright.codecs.codec import is_whole
from posewright.codecs.detection.ttfnet import TTFNet
from posewright.estimators.runtimes import Network
from posewright.metrics import shared_keypoints
from posewright.metrics.oks.groups import gathered_once
from posewright.metrics.score import Score
from posewright.metrics.trust.calibration import keypoint_calibration
from posewright.metrics.trust.confidence import Difference, clustered, compare
from posewright.metrics.trust.outcomes import Correct
from posewright.picture import Pixels
from posewright.report.results import LEVEL, METRICS, NAMES, Show, ask, groups_of, silent
from posewright.scene import Floats, Person, Scene, each_person
from posewright.verbs.held_out import Look, looks, occluded
from posewright.verbs.score import chosen

BATCH = 8
CONFIDENT = 0.3
"""The move of a keypoint counts where the first network's score reaches this; others jump between equal peaks."""
SHOWN = ("clean", "occluded")
"""How people are shown."""
RIGHT: dict[str, Correct] = {"pck": "torso", "pckh": "head"}
"""What keypoints' scores are held to, by the metric; with others to OKS."""


class Loss(NamedTuple):
    """Say how a second network differs from a first on the same people, shown in one way.

    before, after: the metric's first number; change: after less before. px: how far confident keypoints move in the
    network's crop, their mean, NaN of whole pictures. ece: the calibration error of the keypoints' scores of each, NaN
    where they have none.
    """

    shown: str
    before: float
    after: float
    change: Difference
    px: float
    ece: tuple[float, float]


@dataclass
class Heard:
    """What two networks said of people shown in one way: people by scene, px that keypoints moved, seconds a crop."""

    people: tuple[dict[int, list[Person]], dict[int, list[Person]]] = field(default_factory=lambda: ({}, {}))
    moved: list[Floats] = field(default_factory=list)
    seconds: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))


def asked(networks: tuple[Network, Network], scenes: Sequence[Scene], seed: int, show: Show = silent) -> list[Heard]:
    """Ask two networks of one codec in turn about the people of scenes, as they are and occluded."""
    codec, aim, padding = networks[0].codec, networks[0].aim, networks[0].padding
    rng = np.random.default_rng(seed)
    heard = [Heard() for _ in SHOWN]
    total = len(scenes) if is_whole(codec) else len(each_person(scenes))
    for some in show("judging", total, _batches(looks(scenes, codec, aim, padding))):
        covered = [look._replace(crop=occluded(look.crop, rng)) for look in some]
        for one, batch in zip(heard, (some, covered), strict=True):
            pixels = np.stack([look.crop.pixels for look in batch])
            both = [_answered(network, pixels, one.seconds[n]) for n, network in enumerate(networks)]
            for n, answers in enumerate(both):
                for look, people in zip(batch, answers, strict=True):
                    one.people[n].setdefault(look.scene, []).extend(_back(look, people))
            if not is_whole(codec):
                one.moved += [_moved(first, second) for (first,), (second,) in zip(*both, strict=True)]
    return heard


def losses(networks: tuple[Network, Network], scenes: Sequence[Scene], heard: Sequence[Heard], draws: int,
           seed: int) -> tuple[str, list[Loss]]:  # fmt: skip
    """Return the first number's name of what the data are scored by, and each way's loss in it.

    Intervals of the change are paired, of pictures drawn anew. Raises ValueError as the metric does.
    """
    name = "box_ap" if isinstance(networks[0].codec, TTFNet) else chosen(None, scenes)[0]
    skeleton, number, found = networks[0].codec.skeleton, "", []
    for shown, one in zip(SHOWN, heard, strict=True):
        scores, errors = [], []
        for people in one.people:
            said = [replace(s, skeleton=skeleton, people=tuple(people.get(n, ()))) for n, s in enumerate(scenes)]
            score, error = _scored(name, said, scenes)
            scores.append(score)
            errors.append(error)
        number = next(iter(scores[0]))
        change = compare(scores[1], scores[0], draws, LEVEL, seed)[number]
        px = float(np.concatenate(one.moved).mean()) if sum(map(len, one.moved)) else float("nan")
        found.append(Loss(shown, scores[0][number], scores[1][number], change, px, (errors[0], errors[1])))
    return number, found


def _scored(name: str, predicted: Sequence[Scene], scenes: Sequence[Scene]) -> tuple[Score, float]:
    """Return the score by a metric, and the expected calibration error of the keypoints' scores."""
    said, truth, _ = shared_keypoints(predicted, scenes)
    error = float("nan")
    with gathered_once():
        score = ask(METRICS[NAMES.index(name)], said, truth)
        if name != "box_ap":
            error = ask(partial(keypoint_calibration, correct=RIGHT.get(name, "oks")), said, truth)["ECE"]
    groups = groups_of(truth)
    return score if groups is None else clustered(score, groups), error


def _batches(looked: Iterable[Look]) -> Iterator[list[Look]]:
    rest = iter(looked)
    while some := list(islice(rest, BATCH)):
        yield some


def _answered(network: Network, pixels: Pixels, seconds: list[float]) -> list[list[Person]]:
    """Return the people of each crop, and note the CPU seconds that a crop took the network."""
    begun = time.process_time()
    fields = network(pixels)[-1]
    seconds.append((time.process_time() - begun) / len(pixels))
    people = network.codec.decode(fields)
    return people if is_whole(network.codec) else [[person] for person in people]


def _back(look: Look, people: Sequence[Person]) -> list[Person]:
    """Return people to their picture, each with the box that was asked for."""
    found = look.crop.back(people)
    return found if look.box is None else [replace(person, box=look.box) for person in found]


def _moved(first: Person, second: Person) -> Floats:
    """Return how far (N,) px the first one's confident keypoints are from the second one's."""
    scores = np.ones(len(first)) if first.scores is None else first.scores
    return np.linalg.norm(first.keypoints - second.keypoints, axis=-1)[scores >= CONFIDENT]
