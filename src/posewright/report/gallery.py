"""Galleries: contact sheets of the world and of data sets, to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from posewright import datasets, picture
from posewright.datasets import coco
from posewright.datasets.synthetic import world
from posewright.report.drawing import draw, sheet
from posewright.scene import Scene


def draw_world(out: Path, count: int = 24, seed: int = 0) -> Path:
    """Write pictures of the world as COCO JSON and PNGs into `out`, with a sheet of them; returns the sheet."""
    scenes = world(count, seed)
    coco.write(scenes, out)
    return draw_sheet(scenes, out / "sheet.png")


def draw_data(where: str, split: str, out: Path, count: int = 24) -> Path:
    """Write a sheet of a data set's truth, spread over the split, into `out`; returns the sheet."""
    scenes = [scene for scene in datasets.read(where, split) if scene.people]
    if not scenes:
        raise ValueError(f"{where}: nobody is labelled in split {split!r}, so there is nothing to draw")
    out.mkdir(parents=True, exist_ok=True)
    return draw_sheet(scenes[:: max(1, len(scenes) // count)][:count], out / "sheet.png")


def draw_sheet(scenes: Sequence[Scene], path: Path, columns: int = 6) -> Path:
    """Write a contact sheet of scenes with their people drawn; returns its path."""
    drawn = [draw(scene.pixels(), scene.people, scene.skeleton) for scene in scenes]
    picture.write(path, sheet(drawn, columns, [str(scene.id or "") for scene in scenes]))
    return path
