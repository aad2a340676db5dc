"""Own keypoints: a recipe of the library on a skeleton that a file of annotations describes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from posewright import datasets
from posewright.codecs.codec import is_whole
from posewright.datasets import coco
from posewright.datasets.meant import meant
from posewright.datasets.outside import inside
from posewright.metrics import by_person, nme
from posewright.recipes.recipe import Recipe
from posewright.scene import Scene, translated
from posewright.skeleton import Skeleton

COCOS = (coco.read, coco.read_with_masks)
"""Readers of COCO's format."""


def on_data(recipe: Recipe, data: str, sides: str | None = None) -> Recipe:
    """Return a recipe that learns what is labelled in the data.

    data: as `read_as` takes it. A recipe of the library takes the skeleton of the train split where that has other
    keypoints, which is said on standard error; a recipe of one's own keeps its skeleton, and keypoints are joined by
    name (see `joined`). sides: pairs of keypoints that a mirror exchanges, as "ear1:ear2,paw1:paw2", or "none". Raises
    ValueError where the recipe has no way to another number of keypoints, or `sides` names none of them.
    """
    recipe = read_as(recipe, data)
    if recipe.source is None and (folder_of(data) != data or recipe.read in COCOS):
        scenes = recipe.scenes(folder_of(data), "train")
        own = scenes[0].skeleton if scenes else recipe.codec.skeleton
        if set(own.spelt) != set(recipe.codec.skeleton.spelt):
            recipe = with_skeleton(recipe, own)
            print(f"keypoints of {own.name}, from the data: {', '.join(own.keypoints)}", file=sys.stderr)
    return recipe if sides is None else with_skeleton(recipe, _sided(recipe.codec.skeleton, sides))


def read_as(recipe: Recipe, data: str) -> Recipe:
    """Return a recipe that reads its data as a name says, as `datasets.read` takes it.

    With a kind in front, as in "coco:DIR", it is read as such, and so are a file, its pictures' folder and a category
    ("coco:labels.json@photos#dog"); what else is meant ("coco+corners:DIR") is done behind the recipe's own reader.
    """
    plain, ways = datasets.split_ways(data)
    kind, colon, rest = str(plain).partition(":")
    told = bool(colon) and kind in datasets.READERS and not Path(plain).exists()
    known = recipe.read in datasets.READERS.values() or recipe.read in COCOS
    other = told and known and recipe.read is not datasets.READERS[kind]
    if told and (kind == "coco" or other or any(mark in rest for mark in "@#")):
        return replace(recipe, read=partial(_read, data, "later" if is_whole(recipe.codec) else False))
    return replace(recipe, read=partial(_as_meant, recipe.read, ways)) if ways else recipe


def folder_of(data: str) -> str:
    """Return the folder of "lsp:FOLDER"; the recipe knows the kind itself."""
    plain = str(datasets.split_ways(data)[0])
    kind, colon, rest = plain.partition(":")
    return rest if colon and kind in datasets.READERS and not Path(plain).exists() else plain


def with_skeleton(recipe: Recipe, skeleton: Skeleton) -> Recipe:
    """Return a recipe for another skeleton: its codec, and its network with as many outputs.

    Its metric becomes the mean error by the box (NME) where it is one of a data set's own, and its numbers are
    nobody's. Raises ValueError where codec or network do not say how many keypoints they have.
    """
    codec: Any = recipe.codec
    if not is_dataclass(codec) or isinstance(codec, type):
        raise ValueError(f"{recipe.name}: its codec takes no other skeleton")
    before: Skeleton = recipe.codec.skeleton
    drawn: Skeleton | None = getattr(codec, "drawn", None)
    if drawn is not None and set(skeleton.spelt) != set(before.spelt):
        raise ValueError(
            f"{recipe.name}: draws the limbs of {drawn.name}, so it learns the keypoints of {before.name} alone, not "
            f"those of {skeleton.name}"
        )
    changed: dict[str, Any] = {"codec": replace(codec, skeleton=skeleton)}
    if len(skeleton) != len(before):
        changed["network"] = _with_outputs(recipe, len(skeleton))
        changed["parameters"] = None
    if set(skeleton.spelt) != set(before.spelt):
        changed |= {"reported": {}, "data": f"data of your own, with the keypoints of {skeleton.name}"}
        changed["metric"] = recipe.metric if skeleton.sigmas and recipe.metric.__name__ == "oks_ap" else by_person(nme)
    return replace(recipe, **changed)


def joined(scenes: Sequence[Scene], skeleton: Skeleton, what: str) -> list[Scene]:
    """Return scenes in the words of a skeleton, joined by name; ValueError where they lack some of its keypoints."""
    if not scenes or scenes[0].skeleton.spelt == skeleton.spelt:
        return list(scenes)
    own = scenes[0].skeleton
    lacking = [name for name, place in zip(skeleton.keypoints, own.to(skeleton), strict=True) if place < 0]
    if lacking:
        raise ValueError(
            f"{what}: has the keypoints {', '.join(own.keypoints)}, and the recipe needs {', '.join(lacking)} as well"
        )
    return translated(scenes, skeleton)


def _read(data: str, masks: datasets.Masks, _folder: Path, split: str) -> list[Scene]:
    return list(datasets.read(data, split, masks))


def _as_meant(read: Callable[[Path, str], list[Scene]], ways: Sequence[str], folder: Path, split: str) -> list[Scene]:
    return meant(inside(read(folder, split), folder), ways)


def _with_outputs(recipe: Recipe, count: int) -> Callable[[], Any]:
    """Return what builds the recipe's network for another number of keypoints."""
    build: Any = recipe.network
    function = build.func if isinstance(build, partial) else build
    names = list(inspect.signature(function).parameters)
    if "keypoints" not in names or getattr(recipe.codec, "limbs", None):
        raise ValueError(f"{recipe.name}: its network is for the keypoints of {recipe.codec.skeleton.name} alone")
    said = dict(zip(names, build.args, strict=False)) | build.keywords if isinstance(build, partial) else {}
    return partial(function, **{**said, "keypoints": count})


def _sided(skeleton: Skeleton, sides: str) -> Skeleton:
    """Return the skeleton with sides as a user writes them."""
    pairs = [] if sides == "none" else [pair.split(":") for pair in sides.split(",")]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"sides must be pairs such as left_ear:right_ear,paw1:paw2, or none, not {sides!r}")
    try:
        found = tuple((skeleton.keypoints[skeleton.index(a)], skeleton.keypoints[skeleton.index(b)]) for a, b in pairs)
    except KeyError as error:
        raise ValueError(f"sides: {error.args[0]}") from None
    return replace(skeleton, sides=found)
