"""Data sets as recipes take them: each with its reader, its terms, its metric and the split that epochs are judged on.

What is said beside is `Recipe`'s own fields.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from posewright.codecs.codec import Codec, is_whole
from posewright.datasets import coco, crowdpose, lsp, mpii
from posewright.metrics import crowdpose_ap, oks_ap, pck, pckh
from posewright.recipes.recipe import Recipe
from posewright.scene import Scene


class LearntFrom(NamedTuple):
    """Say what a recipe takes from a data set: `Recipe`'s fields."""

    read: Callable[[Path, str], list[Scene]]
    metric: Callable[..., dict[str, float]]
    data: str
    judged_on: str


COCO_PICTURES = LearntFrom(coco.read_with_masks, oks_ap, coco.TERMS, "val")
COCO_KEYPOINTS = LearntFrom(coco.read, oks_ap, coco.TERMS, "val")
CROWDPOSE_KEYPOINTS = LearntFrom(crowdpose.read, crowdpose_ap, crowdpose.TERMS, "val")
MPII_SINGLE = LearntFrom(mpii.read, pckh, mpii.TERMS, "valid")
LSP_EXTENDED = LearntFrom(lsp.read, pck, lsp.TERMS, "test")


def on_coco(system: str, title: str, codec: Codec, **said: Any) -> Recipe:
    """A recipe on COCO's keypoints; its name ends in the size of its crops where these are not of 256x192."""
    ending = "" if is_whole(codec) or codec.size == (192, 256) else f"_{shape(codec)}"
    learnt_from = COCO_PICTURES if is_whole(codec) else COCO_KEYPOINTS
    return _on(learnt_from, f"{system}_coco{ending}", f"{title}, COCO", codec, said)


def on_crowdpose(system: str, title: str, codec: Codec, **said: Any) -> Recipe:
    """A recipe on CrowdPose's whole pictures."""
    return _on(CROWDPOSE_KEYPOINTS, f"{system}_crowdpose", f"{title}, CrowdPose", codec, said)


def on_mpii(system: str, title: str, codec: Codec, **said: Any) -> Recipe:
    """A recipe on MPII's single people."""
    return _on(MPII_SINGLE, f"{system}_mpii", f"{title}, MPII", codec, said)


def _on(data: LearntFrom, name: str, title: str, codec: Codec, said: dict[str, Any]) -> Recipe:
    return Recipe(name=name, summary=f"{title}, {shape(codec)}", codec=codec, **data._asdict(), **said)


def on_lsp(recipe: Recipe, codec: Codec, **said: Any) -> Recipe:
    """The same on LSP-extended, for which its paper reports no number."""
    system, title = recipe.name.rpartition("_")[0], recipe.summary.partition(",")[0]
    summary = f"{title}, LSP-extended, {shape(codec)}; no published number"
    fields: dict[str, Any] = {"name": f"{system}_lsp", "summary": summary, "codec": codec, "reported": {}}
    return replace(recipe, **fields, **LSP_EXTENDED._asdict(), **said)


def shape(codec: Codec) -> str:
    """Write the size of a codec's crops as papers do, height first."""
    width, height = codec.size
    return f"{height}x{width}"
