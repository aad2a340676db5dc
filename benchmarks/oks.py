"""Time of COCO's keypoint AP on a problem of the size of val2017, beside pycocotools and its peers that are installed.

    pip install pycocotools faster-coco-eval hotcoco ultrafast-pycocotools vernier
    RAYON_NUM_THREADS=1 python benchmarks/oks.py [--rounds N]

2,346 images, 11,004 people and 104,125 results are made up from a seed and written as the two JSON files. All
libraries run in one process on one thread, in turn, so that what disturbs one disturbs all; CPU time, median
of the rounds. "Scoring" starts from what each library has in memory once it has read the files, "files to
numbers" from the two paths. The numbers must be equal to the last bit. Peak memory is that of a fresh process
that does nothing but read and score.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import contextlib
import gc
import importlib
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from posewright.datasets import coco
from posewright.metrics import oks_ap
from posewright.skeleton import COCO

IMAGES, PEOPLE, RESULTS = 2346, 11_004, 104_125
LABELLED, CROWDS = 0.58, 0.02
"""Shares of the people: in val2017 6,352 of 11,004 have a keypoint, about 2 % are crowds."""
WIDTH, HEIGHT = 640, 480
POSE = np.array([(0, -80), (3, -84), (-3, -84), (8, -82), (-8, -82), (18, -60), (-18, -60), (26, -30), (-26, -30),
                 (28, -5), (-28, -5), (11, 0), (-11, 0), (12, 40), (-12, 40), (12, 80), (-12, 80)]) / 164  # fmt: skip
"""A person who stands, in units of their height."""

Numbers = list[float]


def problem(folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """Write the annotations and the results of a made-up data set; return the two files."""
    rng = np.random.default_rng(seed)
    names = np.sort(rng.choice(580_000, IMAGES, replace=False) + 1).tolist()
    image = np.sort(np.concatenate([np.arange(IMAGES), rng.choice(IMAGES, PEOPLE - IMAGES)]))
    height = np.clip(np.exp(rng.normal(4.6, 0.8, PEOPLE)), 12, HEIGHT)
    middle = rng.uniform((0, 0), (WIDTH, HEIGHT), (PEOPLE, 2))
    pose = POSE[None] + rng.normal(0, 0.04, (PEOPLE, len(POSE), 2))
    xy = np.clip(np.rint(middle[:, None] + pose * height[:, None, None]), 0, (WIDTH - 1, HEIGHT - 1))
    crowd = rng.random(PEOPLE) < CROWDS
    seen = rng.random((PEOPLE, len(POSE))) < rng.beta(2, 1.2, (PEOPLE, 1))
    seen &= (rng.random(PEOPLE) < LABELLED)[:, None] & ~crowd[:, None]
    visible = np.where(seen, rng.choice([1, 2], seen.shape, p=[0.14, 0.86]), 0)
    people = [
        _annotation(i, names[image[i]], xy[i], visible[i], crowd[i], float(height[i]), rng) for i in range(PEOPLE)
    ]
    truth, results = folder / "annotations.json", folder / "results.json"
    truth.write_text(json.dumps({
        "info": {"description": "made up"}, "licenses": [],
        "images": [_picture(name) for name in names],
        "annotations": people,
        "categories": [{"id": 1, "name": "person", "supercategory": "person", "keypoints": list(COCO.keypoints),
                        "skeleton": (COCO.limb_indices + 1).tolist()}],
    }))  # fmt: skip
    results.write_text(json.dumps(_results(names, image, xy, height, rng)))
    return truth, results


def _picture(name: int) -> dict[str, object]:
    file = f"{name:012d}.jpg"
    return {
        "license": 4, "file_name": file, "coco_url": f"http://images.cocodataset.org/val2017/{file}",
        "height": HEIGHT, "width": WIDTH, "date_captured": "2013-11-14 17:02:52",
        "flickr_url": f"http://farm7.staticflickr.com/6116/{file}", "id": name,
    }  # fmt: skip


def _annotation(
    number: int, image: int, xy: np.ndarray, visible: np.ndarray, crowd: bool, height: float, rng: np.random.Generator
) -> dict[str, object]:
    known = visible > 0
    low, high = xy.min(0) - height / 20, xy.max(0) + height / 20
    outline = np.round(rng.uniform(low, high, (rng.integers(8, 40), 2)), 2).ravel().tolist()
    runs = {"size": [HEIGHT, WIDTH], "counts": rng.integers(1, 3000, 200).tolist()}
    return {
        "segmentation": runs if crowd else [outline], "num_keypoints": int(known.sum()),
        "area": round(float(np.prod(high - low) * rng.uniform(0.3, 0.7)), 4), "iscrowd": int(crowd),
        "keypoints": np.concatenate([xy * known[:, None], visible[:, None]], 1).astype(int).ravel().tolist(),
        "image_id": image, "bbox": np.round([*low, *(high - low)], 2).tolist(), "category_id": 1,
        "id": 183_020 + 11 * number,
    }  # fmt: skip


def _results(
    names: list[int], image: np.ndarray, xy: np.ndarray, height: np.ndarray, rng: np.random.Generator
) -> list[dict[str, object]]:
    """Every person is found some ten times, better or worse; a tenth of the results is of nobody."""
    who = rng.integers(PEOPLE, size=RESULTS)
    false = rng.random(RESULTS) < 0.1
    away = height[who] * np.where(false, 1.0, rng.gamma(1.0, 0.06, RESULTS))
    found = np.round(xy[who] + rng.normal(0, 1, (RESULTS, len(POSE), 2)) * away[:, None, None], 3)
    keypoints = np.concatenate([found, np.round(rng.beta(6, 2, (RESULTS, len(POSE), 1)), 3)], 2)
    score = np.round(np.exp(-8 * away / height[who]) * rng.beta(4, 2, RESULTS), 6)
    return [
        {"image_id": names[image[w]], "category_id": 1, "keypoints": k.ravel().tolist(), "score": s}
        for w, k, s in zip(who.tolist(), keypoints, score.tolist(), strict=True)
    ]


def ours(truth: Path, results: Path) -> tuple[Numbers, float]:
    """Read and score with posewright; the ten numbers and the CPU time of scoring alone."""
    scenes = coco.read(truth.parent, "", annotations=truth.name)
    predicted = coco.read_results(results, scenes)
    start = process_time()
    return list(oks_ap(predicted, scenes).values()), process_time() - start


def oracle(file: Callable, run: Callable) -> Callable[[Path, Path], tuple[Numbers, float]]:
    """Read and score with a library of pycocotools' interface."""

    def contender(truth: Path, results: Path) -> tuple[Numbers, float]:
        with contextlib.redirect_stdout(io.StringIO()):
            people = file(str(truth))
            evaluation = run(people, people.loadRes(str(results)), "keypoints")
            start = process_time()
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
            return [float(number) for number in evaluation.stats[:10]], process_time() - start

    return contender


def peers() -> Iterator[tuple[str, Callable[[Path, Path], tuple[Numbers, float]]]]:
    """Give those libraries that are installed, by name."""
    for name, file, run in (
        ("hotcoco", "hotcoco.COCO", "hotcoco.COCOeval"),
        ("ultrafast-pycocotools", "ultrafast_pycocotools.COCO", "ultrafast_pycocotools.COCOeval"),
        ("vernier", "pycocotools.coco.COCO", "vernier.COCOeval"),
        ("faster-coco-eval", "faster_coco_eval.COCO", "faster_coco_eval.COCOeval_faster"),
        ("pycocotools", "pycocotools.coco.COCO", "pycocotools.cocoeval.COCOeval"),
    ):
        with contextlib.suppress(ImportError):
            yield name, oracle(_named(file), _named(run))


def _named(path: str) -> Callable:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def floors(truth: Path, results: Path) -> dict[str, float]:
    """CPU time of what nobody gets around: finding the records in the files, and exp once for every pair's keypoints.

    And, to compare with, the time of decoding the files into Python's own objects by the same decoder.
    """
    import msgspec

    found = {}
    for what, kind in (("finding the records", msgspec.Raw), ("all of it as lists and dicts", Any)):
        start = process_time()
        msgspec.json.decode(results.read_bytes(), type=list[kind])
        msgspec.json.decode(truth.read_bytes(), type=dict[str, kind])
        found[f"decoding both files, {what}"] = process_time() - start
    block, pairs = -np.random.default_rng(0).random((2048, len(POSE))), 20 * PEOPLE
    start = process_time()
    for _ in range(0, pairs, len(block)):
        np.exp(block)
    return found | {f"exp for {pairs:,} pairs of a result and a person (20 results an image)": process_time() - start}


def peak(truth: Path, results: Path) -> float:
    """Peak memory in MB of a fresh process that reads and scores, on Linux; its rusage begins with its parent's."""
    code = (
        "import sys; from pathlib import Path; from posewright.datasets import coco;"
        "from posewright.metrics import oks_ap; truth, results = map(Path, sys.argv[1:]);"
        "scenes = coco.read(truth.parent, '', annotations=truth.name);"
        "oks_ap(coco.read_results(results, scenes), scenes);"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    shown = subprocess.run([sys.executable, "-c", code, truth, results], capture_output=True, text=True, check=True)
    return int(shown.stdout) / 1024


def main() -> None:
    """Check that all agree, then print times, ratios, floors and memory."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    contenders = {"posewright": ours} | dict(peers())
    with tempfile.TemporaryDirectory() as folder:
        truth, results = problem(Path(folder))
        for path in (truth, results):
            print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
        numbers: dict[str, Numbers] = {}
        for _ in range(rounds):
            for name, contender in contenders.items():
                gc.collect()
                start = process_time()
                numbers[name], scoring = contender(truth, results)
                times[name].append((scoring, process_time() - start))
        report(numbers, {name: np.median(found, axis=0) for name, found in times.items()}, rounds)
        for name, seconds in floors(truth, results).items():
            print(f"floor: {name} {seconds:.3f} s")
        print(f"peak memory of posewright: {peak(truth, results):.0f} MB")


def report(numbers: dict[str, Numbers], times: dict[str, np.ndarray], rounds: int) -> None:
    """Print the numbers, whether they are equal, the medians and how many times ours go into the others'."""
    first = numbers["posewright"]
    print("AP AP50 AP75 APM APL AR AR50 AR75 ARM ARL: " + " ".join(f"{number:.4f}" for number in first))
    print(f"{'CPU s, median of ' + str(rounds):24}{'scoring':>10}{'ratio':>7}{'files to numbers':>20}{'ratio':>7}")
    for name, (scoring, whole) in times.items():
        a, b = (scoring, whole) / times["posewright"]
        equal = "equal" if numbers[name] == first else "DIFFERENT"
        print(f"{name:24}{scoring:10.3f}{a:7.1f}{whole:20.3f}{b:7.1f}  {equal}")


if __name__ == "__main__":
    main()
