"""Recipe: everything that makes a trained network, as one frozen value composed in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import cos, pi
from pathlib import Path
from typing import Any, Literal

from posewright.augment.jitter import Aim, Given, Jitter
from posewright.augment.picture_jitter import PictureJitter
from posewright.codecs.codec import Codec
from posewright.datasets.outside import inside
from posewright.occlusion import Augmentation
from posewright.scene import PADDING, Padding, Scene
from posewright.warp import Size, around


@dataclass(frozen=True)
class Phase:
    """Train some epochs at one learning rate, or glide down to another: along a half cosine, or straight."""

    epochs: int
    rate: float
    to: float | None = None
    warmup: int = 0
    """Steps over which the rate rises from 0."""
    occluded: bool = True
    """Whether the recipe's occlusion, where it has one, is at work."""
    straight: bool = False
    jitter: Jitter | PictureJitter | None = None
    """What takes the place of the recipe's jitter."""
    size: Size | None = None
    """(width, height) px of the crops, where it is not the codec's own."""

    def rate_at(self, step: int, steps: int) -> float:
        """Return the learning rate of a step of this phase's `steps`.

        >>> Phase(1, 1e-3, to=0.0).rate_at(50, 100), Phase(1, 1e-3, to=0.0, straight=True).rate_at(75, 100)
        (0.0005, 0.00025)
        """
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        if self.to is None:
            return self.rate
        left = (steps - step) / (steps - self.warmup) if self.straight else (1 + cos(pi * step / steps)) / 2
        return self.to + (self.rate - self.to) * left


@dataclass(frozen=True)
class Optimiser:
    """Say how weights follow their gradients.

    rule: AdamW shrinks weights apart from their gradients, Adam (older papers) as part of them; momentum is 0.9.
    rates: (pattern, times), parameters whose names match learn at so many times the rate, at 0 not; the first counts.
    average: decay a step of a running average of the weights, which is then what is evaluated and exported; 0: none.
    """

    rule: Literal["adamw", "adam", "momentum", "rmsprop"] = "adamw"
    weight_decay: float = 0.0
    rates: tuple[tuple[str, float], ...] = ()
    average: float = 0.0


@dataclass(frozen=True)
class Apart:
    """Hold what few papers do otherwise, None where they do as all others.

    each(scenes) makes one scene of every person that is learnt from, the person first; others may stand behind. By
    default each is alone, and with a codec of whole pictures each picture is one scene. given:
    what the network is told beside the pixels of a batch, as the poses that it is to refine. predicted(network, scenes)
    returns the predictions that every epoch is judged by; by default people at their annotated boxes.
    counted(scenes) returns what of the network is counted from the people before the first step, by name.
    composed(scenes, folder) makes what composes the pictures that are learnt from of several scenes, and of what else
    lies in the folder of the data; no jitter is at work then.
    """

    each: Callable[[Sequence[Scene]], list[Scene]] | None = None
    given: Given | None = None
    predicted: Callable[[Any, Sequence[Scene]], Iterable[Scene]] | None = None
    counted: Callable[[Sequence[Scene]], dict[str, Any]] | None = None
    composed: Callable[[Sequence[Scene], Path], Callable[..., Scene]] | None = None


@dataclass(frozen=True)
class Recipe:
    """Say how a network is made: data, network, codec, loss, jitter, phases.

    read(folder, split) lists the scenes; network() builds the module (both import what they need when
    called, so that listing recipes needs no torch); loss(stages, target) returns a scalar. data: what it
    learns from, in words, and on what terms; judged_on: the split that every epoch is judged on. reported: the
    paper's numbers, by name, with their protocol; parameters: the paper's count, or ours
    where there is none. source: the file that it
    stands in, as my_file.py:my_recipe, None for one of the library's. occlusion(scenes) makes what hides
    parts of the people that are learnt from; scenes are all of them, for those that borrow pixels. padding: how much
    larger than a box the crop is that people are found in; what training shows is the jitter's. apart: where the
    paper departs from the usual course. Where the codec is of whole pictures, so is the training: its jitter is a
    PictureJitter, and aim and padding have no say.

    >>> from dataclasses import replace
    >>> from posewright.recipes import default
    >>> mine = replace(default, name="mine", phases=(Phase(10, 1e-3, to=0.0),))
    >>> mine.epochs
    10
    """

    name: str
    summary: str
    paper: str
    read: Callable[[Path, str], list[Scene]]
    network: Callable[[], Any]
    codec: Codec
    loss: Callable[[Any, Any], Any]
    phases: tuple[Phase, ...]
    metric: Callable[..., dict[str, float]]
    jitter: Jitter | PictureJitter = field(default_factory=Jitter)
    occlusion: Callable[[Sequence[Scene]], Augmentation] | None = None
    aim: Aim = around
    padding: Padding = PADDING
    batch: int = 32
    optimiser: Optimiser = field(default_factory=Optimiser)
    apart: Apart = field(default_factory=Apart)
    parameters: int | None = None
    reported: dict[str, float] = field(default_factory=dict)
    data: str = ""
    judged_on: str = "test"
    source: str | None = None

    @property
    def epochs(self) -> int:
        """The length of all phases."""
        return sum(phase.epochs for phase in self.phases)

    @property
    def occluded(self) -> frozenset[int]:
        """The epochs, counted from 0, in which the occlusion is at work."""
        phases = (phase.occluded for phase in self.phases for _ in range(phase.epochs))
        return frozenset(epoch for epoch, occluded in enumerate(phases) if occluded)

    @property
    def jitters(self) -> tuple[Jitter | PictureJitter, ...]:
        """The jitter of each epoch."""
        return tuple(phase.jitter or self.jitter for phase in self.phases for _ in range(phase.epochs))

    @property
    def codecs(self) -> tuple[Codec, ...]:
        """The codec of each epoch."""
        own: Any = self.codec
        return tuple(
            replace(own, size=phase.size) if phase.size else own for phase in self.phases for _ in range(phase.epochs)
        )

    def scenes(self, data: str, split: str) -> list[Scene]:
        """Read a split of the data; of the library's readers, DataError for a picture outside of its folder.

        What a reader of one's own reads is left to it.
        """
        found = self.read(Path(data), split)
        ours = getattr(self.read, "__module__", "").startswith("posewright.")
        return list(inside(found, Path(data))) if ours else found

    def rate_at(self, step: int, steps_per_epoch: int) -> float:
        """Return the learning rate of a step counted from the start of training."""
        for phase in self.phases:
            steps = phase.epochs * steps_per_epoch
            if step < steps:
                return phase.rate_at(step, steps)
            step -= steps
        raise ValueError(f"recipe {self.name}: no phase is left for {step} more steps")
