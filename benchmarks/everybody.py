"""Everybody in a picture without being told where: boxes first, then poses, or one person searched for.

    python benchmarks/everybody.py [MODEL] --coco DIR [--detector FILE.onnx]
    python benchmarks/everybody.py [MODEL] --lspet DIR [--split validation] [--detector FILE.onnx]

On COCO: keypoint AP (pycocotools' rule, 17 keypoints; those that a network does not know are absent) and box AP, over
all pictures of the folder, with no box told; the share of pictures without people in which nobody is found; all by
one choice of thresholds, those of the files. On LSP-extended: mosaics of the split (`recipes.boxes.mosaics`), box AP,
and the same share. The time is the processor's, one thread's, for a picture of four people of the
synthetic world, 640x480, the median of 15.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from posewright.datasets import coco
from posewright.datasets.synthetic import world
from posewright.estimators.estimator import Estimator
from posewright.metrics import oks_ap
from posewright.metrics.detection.box_ap import box_ap
from posewright.recipes.boxes import read
from posewright.scene import Scene, translated
from posewright.skeleton import COCO
from posewright.verbs.load import load

TIMED, FOUR = 15, 4


def asked(estimator: Estimator, scenes: Sequence[Scene]) -> list[Scene]:
    """Ask about every picture, without boxes; answers are in the estimator's own keypoints."""
    return [
        replace(scene, skeleton=estimator.skeleton, people=tuple(people))
        for scene, people in zip(scenes, estimator.many(scene.pixels() for scene in scenes), strict=True)
    ]


def on_coco(estimator: Estimator, folder: Path) -> dict[str, float]:
    """Return what the estimator is worth on a folder of COCO's pictures."""
    scenes = coco.read(folder, "", annotations="person_keypoints.json", images="images")
    answers = asked(estimator, scenes)
    empty = [not answer.people for answer, scene in zip(answers, scenes, strict=True) if not scene.people]
    keypoints, boxes = oks_ap(translated(answers, COCO), scenes), box_ap(translated(answers, COCO), scenes)
    return {
        "pictures": len(scenes),
        "keypoint AP": keypoints["AP"],
        "keypoint AP50": keypoints["AP50"],
        "keypoint AR": keypoints["AR"],
        "box AP": boxes["AP"],
        "box AP50": boxes["AP50"],
        "pictures without people": len(empty),
        "nobody found there": float(np.mean(empty)),
    }


def on_mosaics(estimator: Estimator, folder: Path, split: str) -> dict[str, float]:
    """Return what the estimator's boxes are worth on mosaics."""
    scenes = read(folder, split)
    answers = asked(estimator, scenes)
    empty = [not answer.people for answer, scene in zip(answers, scenes, strict=True) if not scene.people]
    truth = [replace(scene, skeleton=estimator.skeleton, people=tuple(
        replace(person, keypoints=np.full((len(estimator.skeleton), 2), np.nan)) for person in scene.people
    )) for scene in scenes]  # fmt: skip
    boxes = box_ap(answers, truth)
    return {
        "mosaics": len(scenes),
        "box AP": boxes["AP"],
        "box AP50": boxes["AP50"],
        "mosaics without people": len(empty),
        "nobody found there": float(np.mean(empty)),
    }


def timed(estimator: Estimator) -> dict[str, float]:
    """Return milliseconds of one core a picture of four people, and how many are found in it."""
    scenes = [one for one in world(60, 5, size=(640, 480), people=(FOUR, FOUR)) if len(one.people) == FOUR][:TIMED]
    estimator(scenes[0])
    took, found = [], []
    for scene in scenes:
        begun = time.process_time()
        found.append(len(estimator(scene)))
        took.append(time.process_time() - begun)
    return {"ms a picture of four": 1000 * float(np.median(took)), "people found in it": float(np.mean(found))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="pose")
    parser.add_argument("--coco", type=Path)
    parser.add_argument("--lspet", type=Path)
    parser.add_argument("--split", default="validation", choices=["validation", "test"])
    parser.add_argument("--detector", type=Path)
    parser.add_argument("--single", action="store_true", help="search for one person a picture, without a detector")
    chosen = parser.parse_args()
    estimator = load(chosen.model, detector=chosen.detector, single=chosen.single, threads=1)
    numbers: dict[str, float] = {}
    if chosen.coco:
        numbers |= on_coco(estimator, chosen.coco)
    if chosen.lspet:
        numbers |= on_mosaics(estimator, chosen.lspet, chosen.split)
    print(json.dumps(numbers | timed(estimator), indent=2))


if __name__ == "__main__":
    main()
