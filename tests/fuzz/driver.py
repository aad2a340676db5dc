"""Fuzz every reader with damaged files: an answer or one clear line is right; a traceback, a signal or a stall is not.

`python tests/fuzz/driver.py --count 100000 --seed 1` prints what was found; every finding can be had again by its
number. Inputs are read in processes of their own, so that one that ends by a signal is known, and the rest goes on.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

CHUNK = 2000
SLOWEST = 10.0
"""Seconds that one input may take; none here has more than 20 kB."""


def read(kind: str, path: Path) -> list[str]:
    """Read a file as the verbs would; returns what it is refused with, a line for each way of reading."""
    from posewright import picture
    from posewright.datasets import coco, lsp
    from posewright.datasets.detections import read_boxes
    from posewright.datasets.mpii_original import read_original
    from posewright.datasets.predictions import read_predictions
    from posewright.datasets.truth import read_truth
    from posewright.scene import Scene
    from posewright.skeleton import Skeleton

    three = Skeleton("three", ("nose", "left_eye", "right_eye"), (), (0.026, 0.025, 0.025), "COCO")
    scenes = [Scene(f"{n}.jpg", three, id=n) for n in (1, 2)]
    ways = {
        "picture": [lambda: picture.read(path)],
        "annotations": [
            lambda: list(coco.read(path.parent, "val", annotations=path.name, masks=True)),
            lambda: list(read_truth(path)),
        ],
        "results": [lambda: list(read_predictions(path, scenes, three)), lambda: list(coco.read_results(path, scenes))],
        "table": [lambda: list(read_predictions(path, scenes, three))],
        "boxes": [lambda: read_boxes(path)],
        "matlab": [lambda: list(read_truth(path, "train")), lambda: read_original(path, path.parent, "train")],
        "arrays": [lambda: list(read_truth(path)), lambda: lsp.read(path.parent, "val", pictures=False)],
    }  # fmt: skip
    refused = []
    for way in ways[kind]:
        try:
            way()
        except ValueError as error:
            refused.append(str(error))
    return refused


def run(first: int, count: int, seed: int) -> None:
    """Read the inputs of these numbers; one line an input that is not answered as it should be."""
    from tests_fuzz_inputs import KINDS, damaged

    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as place:
        for number in range(first, first + count):
            rng = random.Random(f"{seed}-{number}")
            kind = rng.choice(list(KINDS))
            suffix, data = damaged(rng, kind)
            path = Path(place) / ({"matlab": "joints", "arrays": "val_joints"}.get(kind, "f") + suffix)
            path.write_bytes(data)
            print(f"at {number} {kind}", flush=True)
            began = time.monotonic()
            try:
                for line in read(kind, path):
                    if "\n" in line or not line:
                        print(f"found {number} {kind}: no single line: {line!r}", flush=True)
            except Exception as error:
                last = traceback.extract_tb(error.__traceback__)[-1]
                print(
                    f"found {number} {kind}: {type(error).__name__}: {error} ({last.filename}:{last.lineno})",
                    flush=True,
                )
            if time.monotonic() - began > SLOWEST:
                print(f"found {number} {kind}: took more than {SLOWEST} s", flush=True)


def found(count: int, seed: int, seconds: float = float("inf")) -> tuple[int, list[str]]:
    """Read so many inputs, or as many as there is time for; returns how many, and the findings."""
    source = str(Path(__file__).resolve().parents[2] / "src")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}
    began, first, findings = time.monotonic(), 0, []
    while first < count and time.monotonic() - began < seconds:
        some = min(CHUNK, count - first)
        words = [sys.executable, __file__, "--first", str(first), "--count", str(some), "--seed", str(seed), "--inside"]
        done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=600, check=False)
        lines = done.stdout.splitlines()
        findings += [line.removeprefix("found ") for line in lines if line.startswith("found ")]
        last = next((line for line in reversed(lines) if line.startswith("at ")), f"at {first} nothing")
        if done.returncode:
            findings.append(f"{last.removeprefix('at ')}: ended with {done.returncode}: {done.stderr[-300:]}")
            first = int(last.split()[1]) + 1
        else:
            first += some
    return first, findings


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=100_000)
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--seconds", type=float, default=float("inf"), help="at most, for all inputs together")
    options.add_argument("--inside", action="store_true", help="read here, not in processes of their own")
    chosen = options.parse_args()
    if chosen.inside:
        import importlib.util

        spec = importlib.util.spec_from_file_location("tests_fuzz_inputs", Path(__file__).with_name("inputs.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules["tests_fuzz_inputs"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        run(chosen.first, chosen.count, chosen.seed)
        return 0
    read_in_all, findings = found(chosen.count, chosen.seed, chosen.seconds)
    print("\n".join([*findings, f"{read_in_all} inputs, {len(findings)} findings"]))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
