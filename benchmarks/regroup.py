"""The thesis's table 2.4's question: does a pose residual network group keypoints better than what found them?

    python benchmarks/regroup.py crowdpose_val.json prn.pt out

Keypoints are CrowdPose's annotated ones of the 400 pictures of `prn.py`, made worse: each is missed with a chance of
0.1, moved by a Gaussian of 0.02 of the root of the box's area, and told with a score of 0.6 to 1; for every person one
false keypoint lies anywhere in the picture, with a score of 0.1 to 0.6. Boxes of PRN are moved by 0.05 of their sides.
Tags are 1 apart between people, an affinity is 1 along a person's own limb and 0 to strangers; on both lies Gaussian
noise of the same size, which is what is varied.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from prn import DRAWS, TOLD, split

from posewright.codecs.bottom_up.affinity_fields import limb_places
from posewright.codecs.bottom_up.whole import is_labelled
from posewright.datasets import coco
from posewright.metrics.oks.crowding import crowdpose_ap
from posewright.metrics.trust.confidence import compare, intervals
from posewright.scene import Scene, boxed
from posewright.verbs.regroup import regroup

MISSED, MOVED, BOXES_MOVED = 0.1, 0.02, 0.05
NOISE = (0.1, 0.25, 0.4)


def worsened(scenes: list[Scene], noise: float, rng: np.random.Generator) -> tuple[list[Any], list[Any]]:
    """Return results of keypoints with tags and affinities, and of boxes, as COCO has them."""
    results: list[Any] = []
    boxes: list[Any] = []
    for scene in scenes:
        people = [person for person in scene.people if is_labelled(person)]
        first, count = len(results), len(scene.skeleton)
        for number, person in enumerate(people):
            box = boxed(person)
            side = box[2:] - box[:2]
            moved = box + rng.normal(0, BOXES_MOVED, 4) * np.tile(side, 2)
            moved[2:] = np.maximum(moved[2:], moved[:2] + 2)
            corner = moved[:2].tolist()
            boxes.append({"image_id": scene.id, "category_id": 1, "score": 1.0,
                          "bbox": [*corner, *(moved[2:] - moved[:2]).tolist()]})  # fmt: skip
            there = person.labelled & (rng.random(count) >= MISSED)
            xy = np.nan_to_num(person.keypoints) + rng.normal(0, MOVED * np.sqrt(side.prod()), (count, 2))
            score = np.where(there, rng.uniform(0.6, 1, count), 0)
            tags = number + rng.normal(0, noise, count)
            results.append(_result(scene, np.where(there[:, None], xy, 0), score, tags))
        for _ in people:
            xy, score = np.zeros((count, 2)), np.zeros(count)
            k = rng.integers(count)
            xy[k], score[k] = rng.uniform(0, scene.size or (1, 1)), rng.uniform(0.1, 0.6)
            tags = np.full(count, rng.uniform(-0.5, len(people) - 0.5)) + rng.normal(0, noise, count)
            results.append(_result(scene, xy, score, tags))
        _affinities(results[first:], first, len(people), limb_places(scene.skeleton), noise, rng)
    return results, boxes


def _result(scene: Scene, xy: np.ndarray, score: np.ndarray, tags: np.ndarray) -> dict[str, Any]:
    triples = np.column_stack([xy, score]).ravel().tolist()
    return {"image_id": scene.id, "category_id": 1, "score": 1.0, "keypoints": triples, "tags": tags.tolist()}


def _affinities(some: list[Any], first: int, people: int, limbs: Any, noise: float, rng: np.random.Generator) -> None:
    """Say of every pair of keypoints along a limb how sure it is."""
    there = np.array([one["keypoints"][2::3] for one in some]).reshape(len(some), -1) > 0
    for one in some:
        one["affinities"] = []
    for a, b in limbs:
        for i in np.flatnonzero(there[:, a]).tolist():
            for j in np.flatnonzero(there[:, b]).tolist():
                sure = float(i == j < people) + rng.normal(0, noise)
                some[i]["affinities"].append([a, first + j, b, sure if sure > 0.3 else 0.0])


def main(file: str, model: str, out: Path) -> None:
    scenes = split(file).test
    out.mkdir(parents=True, exist_ok=True)
    for noise in NOISE:
        results, boxes = worsened(scenes, noise, np.random.default_rng(0))
        paths = {name: out / f"{name}_{noise}.json" for name in ("found", "boxes", "prn", "tags", "affinity")}
        paths["found"].write_text(json.dumps(results))
        paths["boxes"].write_text(json.dumps(boxes))
        own = scenes[0].skeleton
        regroup(paths["found"], "prn", paths["prn"], model=Path(model), boxes=paths["boxes"], skeleton=own)
        for by in ("tags", "affinity"):
            regroup(paths["found"], by, paths[by], skeleton=own)
        scores = {
            by: crowdpose_ap(list(coco.read_results(paths[by], scenes)), scenes) for by in ("prn", "tags", "affinity")
        }
        for by, score in scores.items():
            whole, away = intervals(score, DRAWS), compare(score, scores["prn"], DRAWS)["AP"]
            told = " ".join(
                f"{k} {100 * score[k]:.1f} [{100 * whole[k].low:.1f}, {100 * whole[k].high:.1f}]" for k in TOLD
            )
            less = f"{100 * away.value:+.1f} [{100 * away.low:+.1f}, {100 * away.high:+.1f}]"
            print(f"noise {noise} {by:9} {told} | less prn {less}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
