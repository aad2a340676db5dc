"""Peak memory of an occlusion study of many people by an estimator that does not say what it looks at.

    python benchmarks/study_memory.py [--people N] [--attacks N] [--pictures N] [--draws N] [--made-up]

Crops are then 384x288. The estimator is made up: what it answers depends on the box and on a few pixels. With --made-up
nobody is attacked and asked, which takes most of the time, and answers are the truth and noise, as many and as
large. So many pictures of the synthetic world are drawn, and stand in memory again and again, each time as another
array, until so many people are in them. Peak memory is the process's, told before the study and after. The study of
all attacks on 10,000 people:

    python benchmarks/study_memory.py --people 10000 --attacks 90 --made-up
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import hashlib
import json
import resource
from dataclasses import replace
from itertools import cycle, islice
from time import process_time

import numpy as np

from posewright.cli.occlude import WORLD, WORLD_PEOPLE, scenes_of
from posewright.datasets import synthetic
from posewright.robustness import standard_attacks, study
from posewright.robustness.answers import ask
from posewright.robustness.answers.ask import Answers
from posewright.skeleton import COCO


def middle(pixels, boxes):
    """Answer (1, 17, 3): keypoints about the middle of the box, moved by the pixels' brightness there, their score."""
    x, y = np.mean([(box[:2] + box[2:]) / 2 for box in boxes], axis=0)
    place = np.stack([np.linspace(x - 20, x + 20, 17), np.linspace(y - 40, y + 40, 17)], axis=1)
    inside = np.clip(np.rint(place).astype(int), 0, np.array(pixels.shape[1::-1]) - 1)
    bright = pixels[inside[:, 1], inside[:, 0]].mean(-1)[:, None] / 255
    return np.concatenate([place + 40 * bright, bright], axis=1)[None]


def made_up(estimator, people, attack=None, clean=None, seed: int = 0) -> Answers:  # noqa: ARG001
    """Answer with the truth and noise, farther away for those who are covered: the attack's keypoints, or any one."""
    said = str(attack and attack.name)
    rng = np.random.default_rng((seed, *hashlib.sha256(said.encode()).digest()[:4]))
    truth = np.stack([one.truth.keypoints for one in people])
    covered = np.zeros(truth.shape[:2], bool)
    if attack is not None:
        parts = {"keypoints": (attack.target,), "parts": COCO.parts.get(attack.target, ())}.get(attack.kind, ())
        covered[:, [COCO.index(name) for name in parts]] = True
        if not parts:
            covered[np.arange(len(people)), rng.integers(17, size=len(people))] = True
    away = rng.normal(0, np.where(covered, 30, 8)[..., None], truth.shape) * rng.lognormal(0, 1, (len(people), 1, 1))
    scores = np.exp(-np.hypot(*np.moveaxis(away, -1, 0)) / 40)
    return Answers(truth + away, scores, scores.mean(1), covered, np.full(len(people), attack is not None))


def peak() -> float:
    """Peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(people: int, attacks: int, pictures: int, draws: int) -> None:
    drawn = list(islice(synthetic.scenes(0, skeleton=COCO, people=WORLD_PEOPLE), pictures))
    again = (replace(one, image=one.image.copy(), id=place) for place, one in enumerate(cycle(drawn)))
    real, synthetic.scenes = synthetic.scenes, lambda *_, **__: again
    try:
        scenes = scenes_of(WORLD, "", people, 0, COCO)
    finally:
        synthetic.scenes = real
    before, start = peak(), process_time()
    listed = standard_attacks(COCO)
    found = study(middle, scenes, listed[:: len(listed) // attacks][:attacks], most=people, draws=draws)
    told = [found.clean, found.changes, found.influence, found.AP, found.pooled]
    numbers = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    print(f"{found.protocol['people']} people in {len(scenes)} pictures, {len(found.attacks)} attacks: "
          f"{before:.0f} MB with pictures, {peak():.0f} MB in all; study {process_time() - start:.1f} s of the CPU; "
          f"SHA-256 of all numbers {numbers[:16]}")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--attacks", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--made-up", action="store_true", help="make answers up, without asking")
    arguments = parser.parse_args()
    if arguments.made_up:
        ask.answers, ask.clean_answers = made_up, made_up
    main(arguments.people, arguments.attacks, arguments.pictures, arguments.draws)
