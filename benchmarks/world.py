"""Measure how many pictures a second of one core's time the synthetic world draws.

Counts this process's CPU time, so that other work on the machine does not matter:

    python benchmarks/world.py [count] [side]
"""

import os
import sys
import time

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import cv2
import numpy as np

from posewright.datasets.synthetic import scene


def main(count: int = 200, side: int = 256) -> None:
    cv2.setNumThreads(1)
    for i in range(5):
        scene(1, i, (side, side))
    spent = []
    for i in range(count):
        start = time.process_time()
        scene(0, i, (side, side))
        spent.append(time.process_time() - start)
    slow = 1000 * np.quantile(spent, [0.5, 0.95])
    print(
        f"{count / sum(spent):.1f} pictures of {side}x{side} a second of one core "
        f"(1 to 4; median {slow[0]:.1f} ms, 95 % {slow[1]:.1f} ms), numpy {np.__version__}, cv2 {cv2.__version__}"
    )


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:]))
