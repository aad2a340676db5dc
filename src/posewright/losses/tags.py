"""Losses of associative embedding: keypoints of one person are pulled together, people are pushed apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from posewright.fields import Heatmaps, Tagged, TaggedTwice, Tags

GROUPING = 1e-3
"""What pull and push weigh beside the heatmaps, in both papers' code."""
Nearness = Callable[[Tensor], Tensor]
"""(differences (..., T, P, P)) -> how much two people are to be pushed apart (..., P, P), 1 for equal tags."""


def bell(apart: Tensor) -> Tensor:
    """exp(-|d|^2)."""
    return torch.exp(-apart.square().sum(-3))


def hinge(apart: Tensor) -> Tensor:
    """max(0, 1 - |d|): the other form in HigherHRNet's code, of one tag."""
    return (1 - apart.abs().sum(-3)).clamp(min=0)


def pull_and_push(tags: Tensor, places: Tensor, nearness: Nearness = bell) -> tuple[Tensor, Tensor]:
    """Say how far each picture's tags are from their people's, and how near people are to each other: (B,), (B,).

        pull = mean over people of mean over their keypoints of mean over T of (tag - reference)^2
        push = 1/2 mean over pairs of people of nearness(reference - reference')

    tags (B, T, K, h, w); places (B, P, K) as in `Tagged`; a person's reference is the mean tag of its keypoints. Both
    are 0 for a picture without people, push for one person. Newell et al. 2017 (arXiv:1611.05424, section 3.2) as in
    the authors' C code, whose weights differ from the paper's formula; of one tag also HigherHRNet's.
    """
    present = (places >= 0).transpose(1, 2)[:, None]
    where = places.clamp(min=0).transpose(1, 2)[:, None].expand(-1, tags.shape[1], -1, -1)
    read = tags.float().flatten(-2).gather(-1, where)
    counts = present.sum(2)
    reference = (read * present).sum(2) / counts.clamp(min=1)
    strays = ((read - reference[:, :, None]) * present).square().sum(2) / counts.clamp(min=1)
    people = (counts > 0)[:, 0]
    number = people.sum(-1)
    pull = strays.mean(1).sum(-1) / number.clamp(min=1)
    apart = reference[..., :, None] - reference[..., None, :]
    pairs = (people[:, :, None] & people[:, None, :]).triu(diagonal=1)
    push = (nearness(apart) * pairs).sum((-2, -1)) / (number * (number - 1)).clamp(min=1)
    return pull, push


def squares(maps: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Mean over K, h, w of mask (m - t)^2, for each picture (B,)."""
    return (mask * (maps.float() - truth).square()).mean((-3, -2, -1))


def associative_embedding(stages: Sequence[Tags], target: Tagged) -> Tensor:
    """What associative embedding learns by: heatmaps and tags of every stack.

        L = sum over stages of mean over B of  squares + 1/1000 (pull + push)

    Newell et al. 2017 (arXiv:1611.05424), with the weights of the authors' code.
    """
    return torch.stack([_heatmaps_and_tags(stage, target).mean() for stage in stages]).sum()


def higher_hrnet(stages: Sequence[Tags | Heatmaps], target: TaggedTwice) -> Tensor:
    """What HigherHRNet learns by: heatmaps and tags at /4, heatmaps alone at /2; what puts both together asks nothing.

        L = mean over B of  squares(/4) + squares(/2) + 1/1000 (pull + push)

    Cheng et al. 2020 (arXiv:1908.10357), with the weights of the authors' code.
    """
    coarse, fine = stages[0], stages[1]
    assert isinstance(coarse, Tags)
    costs = _heatmaps_and_tags(coarse, target) + squares(fine.maps, target.finer, target.finer_mask)
    return costs.mean()


def _heatmaps_and_tags(stage: Tags, target: Tagged | TaggedTwice) -> Tensor:
    pull, push = pull_and_push(stage.tags, target.places)
    return squares(stage.maps, target.maps, target.mask) + GROUPING * (pull + push)
