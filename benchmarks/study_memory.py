"""Peak memory of an occlusion study of many people by an estimator that does not say what it looks at.

    python benchmarks/study_memory.py [--people N] [--attacks N] [--pictures N]

Crops are then 384x288. The estimator is made up: what it answers depends on the box and on a few pixels. So many
pictures of the synthetic world are drawn, and stand in memory again and again, each time as another array, until so
many people are in them. Peak memory is the process's, told before the study and after.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import resource
from dataclasses import replace
from itertools import cycle, islice
from time import process_time

import numpy as np

from posewright.cli.occlude import WORLD, WORLD_PEOPLE, scenes_of
from posewright.datasets import synthetic
from posewright.robustness import standard_attacks, study
from posewright.skeleton import COCO


def middle(pixels, boxes):
    """Answer (1, 17, 3): keypoints about the middle of the box, moved by the pixels' brightness there, their score."""
    x, y = np.mean([(box[:2] + box[2:]) / 2 for box in boxes], axis=0)
    place = np.stack([np.linspace(x - 20, x + 20, 17), np.linspace(y - 40, y + 40, 17)], axis=1)
    inside = np.clip(np.rint(place).astype(int), 0, np.array(pixels.shape[1::-1]) - 1)
    bright = pixels[inside[:, 1], inside[:, 0]].mean(-1)[:, None] / 255
    return np.concatenate([place + 40 * bright, bright], axis=1)[None]


def peak() -> float:
    """Peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(people: int, attacks: int, pictures: int) -> None:
    drawn = list(islice(synthetic.scenes(0, skeleton=COCO, people=WORLD_PEOPLE), pictures))
    again = (replace(one, image=one.image.copy(), id=place) for place, one in enumerate(cycle(drawn)))
    real, synthetic.scenes = synthetic.scenes, lambda *_, **__: again
    try:
        scenes = scenes_of(WORLD, "", people, 0, COCO)
    finally:
        synthetic.scenes = real
    before, start = peak(), process_time()
    listed = standard_attacks(COCO)
    found = study(middle, scenes, listed[:: len(listed) // attacks][:attacks], most=people, draws=100)
    changes = float(np.nansum([one.value for some in found.changes.values() for one in some.values()]))
    print(f"{found.protocol['people']} people in {len(scenes)} pictures, {len(found.attacks)} attacks: "
          f"{before:.0f} MB with pictures, {peak():.0f} MB in all; study {process_time() - start:.1f} s of the CPU; "
          f"sum of changes {changes!r}")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--attacks", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=60)
    arguments = parser.parse_args()
    main(arguments.people, arguments.attacks, arguments.pictures)
