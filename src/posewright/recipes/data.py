"""Data sets as recipes take them: each with its reader, its terms, its metric and the split that epochs are judged on.

What is said beside is `Recipe`'s own fields.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from posewright.codecs.codec import Codec
from posewright.datasets import coco, lsp, mpii
from posewright.metrics import oks_ap, pck, pckh
from posewright.recipes.recipe import Recipe


def on_coco(system: str, title: str, codec: Codec, **said: Any) -> Recipe:
    """A recipe on COCO's keypoints; its name ends in the size of its crops where that is not 256x192."""
    ending = "" if codec.size == (192, 256) else f"_{shape(codec)}"
    return Recipe(
        name=f"{system}_coco{ending}",
        summary=f"{title}, COCO, {shape(codec)}",
        read=coco.read,
        codec=codec,
        metric=oks_ap,
        data=coco.TERMS,
        judged_on="val",
        **said,
    )


def on_mpii(system: str, title: str, codec: Codec, **said: Any) -> Recipe:
    """A recipe on MPII's single people."""
    return Recipe(
        name=f"{system}_mpii",
        summary=f"{title}, MPII, {shape(codec)}",
        read=mpii.read,
        codec=codec,
        metric=pckh,
        data=mpii.TERMS,
        judged_on="valid",
        **said,
    )


def on_lsp(recipe: Recipe, codec: Codec, **said: Any) -> Recipe:
    """The same on LSP-extended, for which its paper reports no number."""
    system, title = recipe.name.rpartition("_")[0], recipe.summary.partition(",")[0]
    return replace(
        recipe,
        name=f"{system}_lsp",
        summary=f"{title}, LSP-extended, {shape(codec)}; no published number",
        read=lsp.read,
        codec=codec,
        metric=pck,
        reported={},
        data=lsp.TERMS,
        judged_on="test",
        **said,
    )


def shape(codec: Codec) -> str:
    """Write the size of a codec's crops as papers do, height first."""
    width, height = codec.size
    return f"{height}x{width}"
