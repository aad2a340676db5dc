"""What a cluster costs: CPU time and memory of `predict` here, and of head and workers with --cluster auto.

python benchmarks/cluster.py [PICTURES]     # drawn ones, 640 x 480, 200 by default

Both write the same bytes, which is checked. Time is of processors, not by the clock.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from functools import partial
from itertools import islice
from pathlib import Path

from posewright import load
from posewright.datasets.synthetic import scenes
from posewright.picture import write
from posewright.pieces import shared
from posewright.verbs.overlays import Style
from posewright.verbs.predict import predict_to


def used(_: int) -> tuple[int, float, int]:
    """Return process, CPU s and peak memory in MB of a worker."""
    import os
    import resource
    import time

    time.sleep(0.05)  # so that everyone has one
    own = resource.getrusage(resource.RUSAGE_SELF)
    return os.getpid(), own.ru_utime + own.ru_stime, own.ru_maxrss >> 10


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "in").mkdir()
        for number, scene in enumerate(islice(scenes(3, size=(640, 480), people=(1, 2)), count)):
            write(place / "in" / f"{number:06d}.jpg", scene.pixels())
        for drawn in (False, True):
            ask = partial(predict_to, inputs=[place / "in"], estimator=load("pose"), style=Style(none=not drawn))
            began = time.process_time()
            ask(place / f"here-{drawn}")
            print(f"overlays {drawn}: here {1000 * (time.process_time() - began) / count:.1f} ms a picture")
            with shared("auto") as share:
                before = {process: seconds for process, seconds, _ in share(used, range(64))}
                began = time.process_time()
                ask(place / f"there-{drawn}", share=share)
                head = time.process_time() - began
                after = {process: (seconds, peak) for process, seconds, peak in share(used, range(64))}
            of_workers = sum(seconds - before.get(process, 0) for process, (seconds, _) in after.items())
            print(
                f"  head {1000 * head / count:.1f} ms a picture, {len(after)} workers {1000 * of_workers / count:.1f}"
            )
            print(f"  peak memory of the workers {max(peak for _, peak in after.values())} MB", end=", ")
            print(f"of the head {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB")
            both = [(place / f"{where}-{drawn}" / "predictions.json").read_bytes() for where in ("here", "there")]
            assert both[0] == both[1]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
