"""Training of a pose residual network: boxes and keypoints that people annotated are all it needs, no pictures.

Kocabas, Karagoz and Akbas 2018, "MultiPoseNet", arXiv:1807.04067, section 3.4, and Kocabas's thesis, section 2.3. Every
epoch goes from easy to hard: people with the most keypoints first, of as many the largest box first. Which end is easy
the thesis does not say; this is a choice. A training goes on from the last epoch that ended.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from posewright.codecs.bottom_up.residual_grouping import GRID, LoosePeaks, blurred, drawn_in_box, label, own_cells
from posewright.codecs.bottom_up.whole import Places, is_labelled
from posewright.fields import Heatmaps
from posewright.files import whole, write_whole
from posewright.losses.everybody import cross_entropy_of_cells
from posewright.metrics.score import versions
from posewright.models.load import read
from posewright.models.prn import PRN
from posewright.scene import Scene, boxed
from posewright.train.state import CheckpointError, Full

FIXED = ("prn", "course", "seed", "people", "keypoints")
"""Facts that must be the same for a training to go on; of the course, epochs may be more."""


@dataclass(frozen=True)
class Shape:
    """Say how a network is built, as in the thesis's table 2.3: hidden layers of so many nodes."""

    nodes: int = 1024
    layers: int = 1
    dropout: float = 0.5
    residual: bool = True

    def network(self, keypoints: int) -> PRN:
        """Build it for people of so many keypoints."""
        return PRN(keypoints, self.nodes, self.layers, self.dropout, self.residual)


@dataclass(frozen=True)
class Course:
    """Say how a network learns: Adam at one rate; fewest keypoints of the people that it learns from.

    The thesis has the rate 1e-4, the authors' code 1e-3; curriculum: from easy to hard, or in any order.
    """

    epochs: int = 16
    batch: int = 64
    rate: float = 1e-4
    curriculum: bool = True
    fewest: int = 3


class Example(NamedTuple):
    """Hold a person: the cells of (K, 56, 36), counted through, of everybody's keypoints in the box, and of its own."""

    shown: Places
    own: Places
    hardness: tuple[int, float]


def examples(scenes: Sequence[Scene], fewest: int = 3) -> list[Example]:
    """Draw everybody with `fewest` labelled keypoints or more; raises ValueError where there is nobody."""
    found = []
    for scene in scenes:
        people = [person for person in scene.people if is_labelled(person)]
        peaks = loose(scene)
        for person in people:
            if person.labelled.sum() < fewest:
                continue
            box = boxed(person)
            shown = np.flatnonzero(drawn_in_box(peaks, box, len(scene.skeleton)) >= 0)
            own = np.flatnonzero(own_cells(person.keypoints, person.labelled, box))
            hardness = -int(person.labelled.sum()), -float((box[2:] - box[:2]).prod())
            found.append(Example(shown, own, hardness))
    if not found:
        raise ValueError(f"nobody has {fewest} labelled keypoints or more, so there is nothing to learn from")
    return found


def loose(scene: Scene) -> LoosePeaks:
    """Return everybody's labelled keypoints, without whose they are."""
    people = [person for person in scene.people if is_labelled(person)]
    if not people:
        return LoosePeaks(np.zeros((0, 2)), np.zeros(0, int), np.zeros(0))
    person, kind = np.nonzero([one.labelled for one in people])
    return LoosePeaks(np.array([one.keypoints for one in people])[person, kind], kind, np.ones(len(kind)))


def drawn(some: Sequence[Example], keypoints: int) -> tuple[torch.Tensor, Heatmaps]:
    """Draw a batch: what the network is shown (P, K, 56, 36), and what it is to say."""
    shape = (len(some), keypoints * GRID[0] * GRID[1])
    shown, own = np.full(shape, -1), np.zeros(shape, bool)
    for place, one in enumerate(some):
        shown[place, one.shown], own[place, one.own] = 1, True
    grid = (len(some), keypoints, GRID[1], GRID[0])
    target = Heatmaps(torch.from_numpy(label(own.reshape(grid))), torch.ones(grid[:2]))
    return torch.from_numpy(blurred(shown.reshape(grid))), target


def order(people: Sequence[Example], course: Course, seed: int, epoch: int) -> list[int]:
    """Return in which order an epoch shows people; chance decides between those who are as hard."""
    shuffled = np.random.default_rng((seed, epoch)).permutation(len(people)).tolist()
    return sorted(shuffled, key=lambda place: people[place].hardness) if course.curriculum else shuffled


def train_prn(
    scenes: Sequence[Scene],
    out: Path,
    shape: Shape = Shape(),
    course: Course = Course(),
    seed: int = 0,
    resume: bool = False,
    tell: Callable[[dict[str, float]], object] = dict,
) -> Path:
    """Train on annotated people; `out` gets `last.pt` and, a line an epoch, `log.jsonl`. Returns the checkpoint's path.

    Raises FileExistsError and FileNotFoundError as `train` does, CheckpointError where `out` holds another training,
    ValueError where nobody can be learnt from or scenes differ in their keypoints.
    """
    checkpoint = out / "last.pt"
    if checkpoint.exists() and not resume:
        raise FileExistsError(f"{checkpoint} exists: go on from it with --resume, or name another folder with --out")
    if resume and not checkpoint.exists():
        raise FileNotFoundError(f"{checkpoint}: no checkpoint to resume; leave --resume out to start anew")
    people = examples(scenes, course.fewest)
    keypoints = scenes[0].skeleton.keypoints
    torch.manual_seed(seed)
    network = shape.network(len(keypoints))
    optimiser = torch.optim.Adam(network.parameters(), course.rate, fused=True)
    facts = {"prn": asdict(shape), "course": asdict(course), "seed": seed, "people": len(people),
             "keypoints": list(keypoints)}  # fmt: skip
    history = _taken_up(checkpoint, network, optimiser, facts) if resume else []
    out.mkdir(parents=True, exist_ok=True)
    for epoch in range(len(history), course.epochs):
        torch.manual_seed(seed * 1000 + epoch)
        losses = list(_epoch(network, optimiser, people, order(people, course, seed, epoch), course.batch))
        history.append({"epoch": epoch, "loss": float(np.mean(losses))})
        _save(checkpoint, network, optimiser, {**facts, "history": history, "versions": versions()})
        write_whole(out / "log.jsonl", "".join(json.dumps(line) + "\n" for line in history).encode())
        tell(history[-1])
    return checkpoint


def _epoch(
    network: PRN, optimiser: torch.optim.Optimizer, people: Sequence[Example], places: list[int], batch: int
) -> Iterator[float]:
    network.train()
    for start in range(0, len(places), batch):
        shown, target = drawn([people[place] for place in places[start : start + batch]], network.keypoints)
        loss: Any = cross_entropy_of_cells(network(shown), target)
        if not math.isfinite(float(loss.detach())):
            raise ValueError(f"the loss is {float(loss.detach())} at person {start}; a lower rate may help")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        yield float(loss.detach())


def _save(path: Path, network: PRN, optimiser: torch.optim.Optimizer, facts: dict[str, Any]) -> None:
    with whole(path) as partial, Full(partial) as file:
        try:
            torch.save({"network": network.state_dict(), "optimiser": optimiser.state_dict(), **facts}, file)
        except RuntimeError as error:
            raise file.error or error from None


def _taken_up(
    path: Path, network: PRN, optimiser: torch.optim.Optimizer, facts: dict[str, Any]
) -> list[dict[str, float]]:
    """Go on from a checkpoint, and return its lines; raises CheckpointError where it is of another training."""
    content = read(path)
    for name in FIXED:
        then, now = (_without_epochs(some.get(name)) for some in (content, facts))
        if then != now:
            raise CheckpointError(f"{path}: was trained with {name} {then}, not {now}; name another folder with --out")
    try:
        network.load_state_dict(content["network"])
        optimiser.load_state_dict(content["optimiser"])
    except (RuntimeError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path}: cannot be gone on from: {' '.join(str(error).split())[:160]}") from None
    return list(content["history"])


def _without_epochs(fact: Any) -> Any:
    return {name: value for name, value in fact.items() if name != "epochs"} if isinstance(fact, dict) else fact
