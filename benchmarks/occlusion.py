"""What occlusion costs in training: the loader's time with each augmentation, as a multiple of its time without.

    python benchmarks/occlusion.py

256x192 crops with 17 maps of 64x48 from pictures of 256x256 in memory: decoding would make every ratio smaller,
except for those augmentations that borrow pixels from other pictures and decode them as well. Process CPU time, one
thread, the best of some rounds, taken in turns.
"""

import time

import cv2

from posewright.augment.jitter import Jitter
from posewright.codecs.gaussian import Gaussian
from posewright.datasets.synthetic import world
from posewright.recipes.occlusion import OCCLUSIONS
from posewright.scene import each_person
from posewright.skeleton import COCO
from posewright.train.loader import Batches

ROUNDS = 5


def cost(batches: Batches, epoch: int) -> float:
    """Seconds of CPU time a crop."""
    start = time.process_time()
    for number in range(len(batches)):
        batches.batch(epoch, number)
    return (time.process_time() - start) / (len(batches) * batches.size)


def main() -> None:
    """Print each augmentation's ratio."""
    cv2.setNumThreads(1)
    people = each_person(world(60, seed=0))
    names = ["none", *(name for name in OCCLUSIONS if not name.endswith("_removal"))]
    loaders = {
        name: Batches(
            people,
            Gaussian(COCO),
            Jitter(),
            32,
            0,
            Gaussian.around,
            OCCLUSIONS[name](people) if name in OCCLUSIONS else None,
        )
        for name in names
    }
    found = dict.fromkeys(names, float("inf"))
    for epoch in range(ROUNDS):
        found = {name: min(found[name], cost(loaders[name], epoch)) for name in names}
    print(f"without occlusion {1e6 * found['none']:.0f} us a crop, {len(people)} people")
    for name in names[1:]:
        print(f"{name:34} {found[name] / found['none']:5.2f}")


if __name__ == "__main__":
    main()
