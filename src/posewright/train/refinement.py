"""Refining poses in space: EpipolarPose's refinement unit learns from somebody's poses and the true ones.

As its released code does: both are standardised number by number, root left out; Adam at 1e-3, times 0.96 every 100,000
steps; gradients cut to a norm of 1; batches of 64, 200 epochs. Kocabas et al. 2019 (arXiv:1903.02330, section 3.3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from posewright.fields import Coordinates
from posewright.losses.coordinates import standardised_error
from posewright.metrics.threed.poses import ROOTS, Poses
from posewright.models.lifter import WIDTH
from posewright.models.load import read
from posewright.models.refinement_unit import RefinementUnit
from posewright.models.report import WeightsError
from posewright.train.state import CheckpointError

RATE, DECAY, DECAY_EVERY, NORM, BATCH, EPOCHS = 1e-3, 0.96, 100_000, 1.0, 64, 200
LEAST = 1e-6
"""mm, the deviation of a number that never changes."""


class Unit(NamedTuple):
    """A refinement unit with what its numbers are standardised by: keypoints without the root, mm about it.

    network takes and answers standardised poses; mean and std (K, 3) of what goes in; true_mean, true_std of what comes
    out.
    """

    network: RefinementUnit
    keypoints: tuple[str, ...]
    mean: Tensor
    std: Tensor
    true_mean: Tensor
    true_std: Tensor

    def __call__(self, poses: Poses) -> Poses:
        """Refine poses; what comes out is about the root. A pose that lacks a keypoint stays as it is."""
        places = [poses.skeleton.index(name) for name in self.keypoints]
        points = poses.centred.copy()
        chosen = points[:, places]
        whole = np.logical_and.reduce(np.isfinite(chosen), axis=(1, 2))
        given = (torch.from_numpy(chosen[whole]).float() - self.mean) / self.std
        with torch.inference_mode():
            answer = self.network.eval()(given)[-1].places * self.true_std + self.true_mean
        refined = points[whole]
        refined[:, places] = answer.double().numpy()
        points[whole] = refined
        return replace(poses, xyz=points)

    def save(self, path: Path) -> Path:
        """Write the unit as plain tensors, whole or not at all; returns the path."""
        partial = path.with_name(f".{path.name}.partial")
        numbers = {name: getattr(self, name) for name in ("mean", "std", "true_mean", "true_std")}
        leaky = any(isinstance(part, nn.LeakyReLU) for part in self.network.modules())
        torch.save(
            {"network": self.network.state_dict(), "keypoints": list(self.keypoints), "leaky": leaky, **numbers},
            partial,
        )
        partial.replace(path)
        return path


def load_unit(path: Path) -> Unit:
    """Read what `Unit.save` wrote; raises WeightsError or CheckpointError where it is none."""
    content = read(path)
    parts = ("network", "keypoints", "leaky", "mean", "std", "true_mean", "true_std")
    lacking = [name for name in parts if not isinstance(content, dict) or name not in content]
    if lacking:
        raise CheckpointError(f"{path}: no refinement unit of posewright's, it lacks {', '.join(lacking)}")
    width = len(content["network"].get("enter.0.bias", ()))
    network = RefinementUnit(len(content["keypoints"]), width or WIDTH, bool(content["leaky"]))
    try:
        network.load_state_dict(content["network"])
    except RuntimeError as error:
        raise WeightsError(f"{path}: {' '.join(str(error).split())[:160]}") from None
    return Unit(network, tuple(content["keypoints"]), *(content[name] for name in parts[3:]))


def train_refinement(
    found: Poses,
    truth: Poses,
    epochs: int = EPOCHS,
    seed: int = 0,
    leaky: bool = True,
    width: int = WIDTH,
    track: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Unit:
    """Learn to make poses that somebody found into the true ones; both of the same keypoints, place by place.

    leaky: the paper's activation; False: the released code's. width: of its layers. track wraps the epochs, to show
    progress. The same seed gives the same unit. Raises ValueError for poses that do not fit each other, or fewer whole
    ones than a batch.
    """
    if found.skeleton.keypoints != truth.skeleton.keypoints or len(found) != len(truth):
        raise ValueError(f"{len(found)} poses and {len(truth)} true ones must be as many, of the same keypoints")
    names = tuple(name for name in truth.skeleton.keypoints if name not in ROOTS)
    given, wanted = (_without_root(poses, names) for poses in (found, truth))
    whole = np.logical_and.reduce(np.isfinite(given) & np.isfinite(wanted), axis=(1, 2))
    if whole.sum() < BATCH:
        raise ValueError(f"{int(whole.sum())} whole poses; a batch alone takes {BATCH}")
    x, y = (torch.from_numpy(points[whole]).float() for points in (given, wanted))
    numbers = [stat for points in (x, y) for stat in (points.mean(0), points.std(0).clamp(min=LEAST))]
    torch.manual_seed(seed)
    network = RefinementUnit(len(names), width, leaky).train()
    _fit(network, (x - numbers[0]) / numbers[1], (y - numbers[2]) / numbers[3], epochs, seed, track)
    return Unit(network.eval(), names, *numbers)


def _fit(
    network: nn.Module, x: Tensor, y: Tensor, epochs: int, seed: int, track: Callable[[Iterable[int]], Iterable[int]]
) -> None:
    """Take every step; what is left of an epoch after whole batches is left out of it."""
    optimiser = torch.optim.Adam(network.parameters(), RATE)
    draw = torch.Generator().manual_seed(seed)
    step = 0
    for _ in track(range(epochs)):
        order = torch.randperm(len(x), generator=draw)
        for chosen in order[: len(x) // BATCH * BATCH].reshape(-1, BATCH):
            for group in optimiser.param_groups:
                group["lr"] = RATE * DECAY ** (step // DECAY_EVERY)
            optimiser.zero_grad()
            loss = standardised_error(network(x[chosen]), Coordinates(y[chosen]))
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), NORM)
            optimiser.step()
            step += 1


def _without_root(poses: Poses, names: tuple[str, ...]) -> np.ndarray:
    return np.asarray(poses.centred[:, [poses.skeleton.index(name) for name in names]])
