"""Training one candidate, or one of the networks that are compared in the end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, partial
from itertools import islice
from math import inf, isfinite
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from posewright import datasets
from posewright.augment.jitter import Jitter
from posewright.codecs.evopose import EvoPose
from posewright.datasets.synthetic import world
from posewright.metrics.customary import metric_for
from posewright.models.count import macs, numbers
from posewright.models.evopose2d import RENAMES, EvoPose2D, Genotype, output_stride
from posewright.models.load import read, weights_in
from posewright.models.report import WeightsError, renamed
from posewright.recipes.evopose2d import evopose2d_s_coco
from posewright.recipes.recipe import Phase, Recipe
from posewright.scene import Scene, each_person
from posewright.skeleton import LSP
from posewright.train import Machine, State, prepared, scores, steps
from posewright.train.evolve.search import Candidate, Search, Trained
from posewright.train.evolve.transfer import inherited
from posewright.train.loader import Batches

Weights = Mapping[str, Tensor]
STILL = Jitter(scale=0.0, turn=0.0, mirror=0.0, half_body=0.0)
MIRRORED = replace(STILL, mirror=0.5)
"""The authors' search neither scales nor turns."""
WORLD_SIZE = (128, 128)
WORLDS = {"train": 11, "val": 12, "test": 13}
"""Seeds of the world's parts."""


class Learnt(NamedTuple):
    """A network's best weights, its loss after each epoch, and its scores on people that no search has seen."""

    weights: dict[str, Tensor]
    losses: list[float]
    scores: dict[str, float]


@lru_cache(maxsize=3)
def people(search: Search, part: str) -> list[Scene]:
    """List the people to learn from, "train", and to judge on, "val"; of the world also others, "test"."""
    count = search.people if part == "train" else search.judged
    if search.data == "world":
        return each_person(world(count, seed=WORLDS[part], size=WORLD_SIZE, skeleton=LSP, people=(1, 1)))
    found = each_person(datasets.read(search.data, search.splits[part != "train"]))
    if not found:
        raise ValueError(f"{search.data}: nobody in split {search.splits[part != 'train']} is labelled")
    return found[: count or None]


def network(genes: Genotype, keypoints: int, width: float, momentum: float) -> EvoPose2D:
    """Build a candidate whose statistics of normalisation follow with a momentum."""
    model = EvoPose2D(genes, keypoints, width=width)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = momentum
    return model


def recipe_for(search: Search, genes: Genotype, width: float, epochs: int) -> Recipe:
    """Say how a network of some genes is trained in a search."""
    truth, stride = people(search, "val"), output_stride(genes)
    skeleton = truth[0].skeleton
    return replace(
        evopose2d_s_coco,
        name="evopose2d_candidate",
        network=partial(network, genes, len(skeleton), width, search.momentum),
        codec=EvoPose(skeleton, search.size, stride, search.sigma / stride, search.peak),
        phases=(Phase(epochs, search.rate, to=0.0),),
        metric=metric_for(truth),
        jitter=MIRRORED,
        batch=search.batch,
    )


def bred_and_trained(search: Search, candidate: Candidate, parent: Weights | None) -> tuple[Trained, dict[str, Tensor]]:
    """Train a candidate from what it inherits, the ancestor from `start`; returns what became of it, and weights."""
    began = time.perf_counter()
    epochs = search.first_epochs if parent is None else search.epochs
    if parent is None and search.start:
        parent = weights_of(Path(search.start))
    recipe = recipe_for(search, candidate.genes, search.width, epochs)
    learnt = learn(search, recipe, search.seed, parent)
    model = recipe.network()
    size = numbers(model), macs(model, search.size)
    return Trained(candidate, min(learnt.losses), *size, time.perf_counter() - began), learnt.weights


def weights_of(file: Path) -> Weights:
    """Read an EfficientNet's weights by our names; raises WeightsError where it has no stem as EvoPose2D's."""
    state = {renamed(name, RENAMES): value for name, value in weights_in(read(file), str(file)).items()}
    if "stem.0.weight" not in state:
        raise WeightsError(f"{file}: holds no EfficientNet by Keras's names, which begin with stem_conv")
    return state


def learn(search: Search, recipe: Recipe, seed: int, parent: Weights | None = None, judge: str | None = None) -> Learnt:
    """Train on one thread, judge every epoch, and keep the best; judge: the part that is scored in the end."""
    threads, machine = torch.get_num_threads(), Machine(device="cpu", workers=0)
    torch.set_num_threads(1)
    try:
        batches = Batches(people(search, "train"), recipe.codec, recipe.jitter, recipe.batch, seed, recipe.aim)
        state = prepared(recipe, seed, machine)
        if parent is not None:
            state.begin_with(inherited(state.module.network.state_dict(), parent))
        taken, losses, best = steps(recipe, batches, state, machine), list[float](), dict[str, Tensor]()
        for _ in range(recipe.epochs):
            deque(islice(taken, len(batches)), maxlen=0)
            losses.append(loss_of(search, recipe, state))
            if losses[-1] == min(losses):
                best = {name: value.clone() for name, value in state.module.network.state_dict().items()}
        state.module.network.load_state_dict(best)
        return Learnt(best, losses, scores(recipe, state, people(search, judge)) if judge else {})
    finally:
        torch.set_num_threads(threads)


def loss_of(search: Search, recipe: Recipe, state: State) -> float:
    """Return the mean squared difference of the judged people's maps, the peak being 1; infinite where it is none."""
    assert isinstance(recipe.codec, EvoPose)
    batches = Batches(people(search, "val"), recipe.codec, STILL, recipe.batch, search.seed, recipe.aim)
    module, total = state.best(), 0.0
    with torch.inference_mode():
        for number in range(len(batches)):
            pixels, target = batches.batch(0, number)
            answer = module(torch.from_numpy(pixels))
            total += float(recipe.loss(answer, type(target)(*map(torch.from_numpy, target))))
    return 2 * total / len(batches) / recipe.codec.peak**2 if isfinite(total) else inf
