"""Samples a second of one core that the training loader draws: 256x192 crops with 17 maps of 64x48.

    python benchmarks/loader.py DIR/annotations.json DIR/images

Decoding: every picture is decoded once for all its people. Kept: crops decoded once into a file. Process
CPU time, one thread. Yardsticks on COCO pictures of 640x480, measured on one core of a 4 GHz Zen 5: HRNet's
own loader 346, MMPose's 302; a C implementation of the same work 562 decoding and 3950 with pictures kept
in memory.
"""

import sys
import tempfile
import time
from pathlib import Path

import cv2

from posewright.augment.jitter import Jitter
from posewright.codecs.gaussian import Gaussian
from posewright.datasets import coco
from posewright.scene import each_person
from posewright.skeleton import COCO
from posewright.train.loader import Batches, kept


def rate(batches: Batches, rounds: int = 5) -> float:
    """Samples a second of CPU time, the best of some rounds."""
    best = 0.0
    for epoch in range(rounds):
        start = time.process_time()
        for number in range(len(batches)):
            batches.batch(epoch, number)
        best = max(best, len(batches) * batches.size / (time.process_time() - start))
    return best


def main() -> None:
    """Print both rates beside the yardsticks."""
    cv2.setNumThreads(1)
    codec = Gaussian(COCO)
    annotations, images = (Path(argument).resolve() for argument in sys.argv[1:3])
    people = each_person(coco.read(images, "all", annotations=annotations, images=images, skeleton=COCO))
    print(f"{len(people)} people in {len({str(p.image) for p in people})} pictures")
    with tempfile.TemporaryDirectory() as folder:
        kept_people = kept(people, Path(folder) / "crops.npy", codec)
        for name, scenes, yardsticks in (
            ("decoding", people, {"HRNet": 346, "MMPose": 302, "C": 562}),
            ("kept", kept_people, {"C, in memory": 3950}),
        ):
            found = rate(Batches(scenes, codec, Jitter(), size=32, aim=Gaussian.around))
            beside = ", ".join(f"{found / value:.2f} x {who}'s {value}" for who, value in yardsticks.items())
            print(f"{name:9} {found:6.0f} samples a second and core: {beside}")


if __name__ == "__main__":
    main()
