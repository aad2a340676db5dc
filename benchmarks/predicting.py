"""What `predict` costs on a folder of pictures with a box each, this tree beside another one.

    git worktree add ../before COMMIT
    python benchmarks/predicting.py --before ../before/src [--pictures N] [--rounds N] [--model NAME] [--side PX]

The pictures are the synthetic world's, enlarged to `--side` px, written as JPEG. Each run is a process of its own,
before and after in turn: with one thread of arithmetic on one core, where CPU seconds count, and on two cores, where
the clock does. What is told are pictures a second, without what one picture alone takes, and the peak of memory. The
predictions must be the same to the last bit, and the overlays the same files. Between the rounds the network alone is
asked about eight crops at a time, which no way of asking it can pass.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2

from posewright.datasets.synthetic import world

HERE = Path(__file__).resolve().parents[1] / "src"
RUN = """
import json, os, resource, sys, time
import cv2
cores = json.loads(sys.argv[1])
os.sched_setaffinity(0, cores)
cv2.setNumThreads(1)
from posewright import load
from posewright.verbs.overlays import Style
from posewright.verbs.predict import predict_to
from pathlib import Path
estimator = load(sys.argv[2], threads=len(cores))
style = Style(none=sys.argv[3] == "none")
def used():
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime, time.perf_counter()
predict_to(Path("first"), [sys.argv[4] + "/0000.jpg"], estimator, Path("boxes.json"), style=style)
cpu, wall = used()
predict_to(Path("out"), [sys.argv[4]], estimator, Path("boxes.json"), style=style)
after, then = used()
print(after - cpu, then - wall, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr)
"""
ALONE = """
import sys, time
import numpy as np
from posewright import load
estimator = load(sys.argv[1], threads=1)
width, height = estimator.codec.size
crops = np.random.default_rng(0).integers(0, 256, (8, height, width, 3), dtype=np.uint8)
estimator.network(crops)
start = time.process_time()
for _ in range(12):
    estimator.network(crops)
print(96 / (time.process_time() - start))
"""


def pictures(place: Path, count: int, side: int) -> None:
    """Write pictures of one person each, and their boxes."""
    (place / "pictures").mkdir()
    rows = []
    for number, scene in enumerate(world(count, seed=0, people=(1, 1))):
        pixels = scene.pixels()
        scale = side / max(pixels.shape[:2])
        size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
        large = cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(place / f"pictures/{number:04}.jpg"), cv2.cvtColor(large, cv2.COLOR_RGB2BGR))
        x0, y0, x1, y1 = (scale * scene.people[0].box).tolist()
        box = [x0, y0, x1 - x0, y1 - y0]
        rows.append({"image_id": f"{number:04}.jpg", "category_id": 1, "bbox": box, "score": 1.0})
    (place / "boxes.json").write_text(json.dumps(rows))


def measured(source: Path, place: Path, words: list[str]) -> tuple[float, float, float, str]:
    """CPU seconds, seconds by the clock and peak MB of a process, and the hash of all that it wrote."""
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words], cwd=place, env=environment, capture_output=True, text=True, check=True
    )
    cpu, wall, peak = map(float, done.stderr.split()[-3:])
    files = [place / "out/predictions.json", *sorted((place / "out/overlays").iterdir())]
    found = hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files))
    return cpu, wall, peak, found.hexdigest()


def alone(model: str) -> float:
    """Crops a CPU second of the network alone, by eight."""
    environment = os.environ | {"PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", ALONE, model]
    return float(subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Print a table: pictures a second before and after, their ratio, memory, and whether the files are the same."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="pose")
    parser.add_argument("--side", type=int, default=320)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    sources = (options.before.resolve(), HERE)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        pictures(place, options.pictures, options.side)
        for some, clock in ((cores[:1], 0), (cores[:2], 1)):
            for style in ("poses", "none"):
                words = [json.dumps(some), options.model, style, "pictures"]
                pairs, bare = [], []
                for _ in range(options.rounds):
                    pairs.append([measured(source, place, words) for source in sources])
                    bare.append(alone(options.model))
                before, after = (options.pictures / statistics.median(pair[i][clock] for pair in pairs) for i in (0, 1))
                ratio = statistics.median(pair[0][clock] / pair[1][clock] for pair in pairs)
                peaks = [max(pair[i][2] for pair in pairs) for i in (0, 1)]
                same = all(pair[0][3] == pair[1][3] for pair in pairs)
                unit = "a second on two cores" if clock else "a CPU second"
                print(
                    f"overlays {style:6} {before:6.1f} {after:6.1f} pictures {unit:22} x{ratio:.2f} "
                    f"{peaks[0]:.0f} MB {peaks[1]:.0f} MB  network alone {statistics.median(bare):.0f}  "
                    f"{'the same files' if same else 'OTHER FILES'}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
