"""What a network of 19 keypoints is worth: places, scores and visibility, at annotated boxes, no flip test, fp32.

    python benchmarks/embedded.py FILE.onnx --lspet DIR [--coco DIR] [--split validation]

PCK@0.2 by torso over LSP's 14 keypoints and over the 12 that COCO has too; expected calibration error of scores, 15
bins, right within 0.2 torsos; mean OKS over COCO's labelled keypoints, one that the network does not know being 0; the
area under the ROC of visibility, on the people of 250 pictures of the synthetic world (seed 2026) and on COCO's hidden
against seen keypoints.
Networks that do not tell visibility are ranked by their scores.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from posewright.datasets import coco
from posewright.datasets.synthetic import world
from posewright.estimators.scenes import predict_scenes
from posewright.estimators.top_down import TopDown
from posewright.metrics.distance.pck import pck
from posewright.metrics.oks.similarity import oks
from posewright.metrics.trust.calibration import keypoint_calibration, visibility_auc
from posewright.recipes.pose import read
from posewright.scene import Scene, each_person, translated
from posewright.skeleton import BODY, COCO, LSP
from posewright.verbs.load import load

PICTURES, SEED = 250, 2026


def found(estimator: TopDown, scenes: list[Scene]) -> list[Scene]:
    """Ask about one person a scene, and answer in the scenes' own keypoints."""
    own = [replace(scene, skeleton=estimator.skeleton) for scene in scenes]
    answers = [replace(scene, skeleton=estimator.skeleton) for scene in predict_scenes(estimator, own)]
    return translated(answers, scenes[0].skeleton)


def similarity(predicted: list[Scene], truth: list[Scene]) -> list[float]:
    """Return each person's OKS."""
    values = []
    for guess, scene in zip(predicted, truth, strict=True):
        person, other = scene.people[0], guess.people[0]
        xy = np.where(other.labelled[:, None], other.keypoints, 1e6)
        arrays = (person.keypoints, person.labelled, np.array(person.area), person.box, xy)
        rows = [np.asarray(array)[None] for array in arrays]
        values.append(float(oks(*rows, np.array(scene.skeleton.sigmas))[0, 0]))
    return values


def measured(estimator: TopDown, lspet: Path, split: str, coco_folder: Path | None) -> dict[str, float]:
    """Return all numbers by name."""
    truth = each_person(translated(read(lspet, split), LSP))
    answers = found(estimator, truth)
    numbers = {"PCK@0.2, 14 keypoints": pck(answers, truth)["PCK@0.2"]}
    shared = [LSP.only([name for name in LSP.keypoints if name in COCO.keypoints])]
    both = [translated(scenes, shared[0]) for scenes in (answers, truth)]
    numbers["PCK@0.2, 12 keypoints"] = pck(*both)["PCK@0.2"]
    numbers["ECE of scores"] = keypoint_calibration(answers, truth, "torso")["ECE"]
    people = each_person(world(PICTURES, SEED, skeleton=BODY))
    numbers["people of the world"] = len(people)
    numbers["AUROC of visibility, world"] = visibility_auc(found(estimator, people), people)["AUC"]
    if coco_folder is not None:
        people = each_person(coco.read(coco_folder, "", annotations="person_keypoints.json", images="images"))
        answers = found(estimator, people)
        numbers["mean OKS, COCO"] = float(np.mean(similarity(answers, people)))
        numbers["people of COCO"] = len(people)
        numbers["AUROC of visibility, COCO"] = visibility_auc(answers, people)["AUC"]
    return numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="an exported network, or default")
    parser.add_argument("--lspet", type=Path, required=True)
    parser.add_argument("--coco", type=Path)
    parser.add_argument("--split", default="validation", choices=["validation", "test"])
    chosen = parser.parse_args()
    estimator = load(chosen.file, threads=1)
    print(json.dumps(measured(estimator, chosen.lspet, chosen.split, chosen.coco), indent=2))


if __name__ == "__main__":
    main()
