"""What short commands cost as whole processes, this tree beside another one.

    git worktree add ../before COMMIT
    python benchmarks/starting.py --before ../before/src [--rounds N]

CPU seconds of a process of its own, one thread, before and after in turn: the median of the rounds. Python keeps what
it compiled, as where a package is installed. The last row is a bare script that does the same with ONNX Runtime alone:
it reads the picture, cuts the box out, asks the network and looks for the highest places.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2

from posewright.datasets.synthetic import world
from posewright.estimators.embedded import embedded_file

HERE = Path(__file__).resolve().parents[1] / "src"
CALL = "import sys; from posewright import cli; sys.exit(getattr(cli, 'run', cli.main)())"
BARE = """
import json, sys
import cv2, numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
network = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
x, y, width, height = json.load(open("boxes.json"))[0]["bbox"]
side = 1.25 * max(width, height)
scale = 160 / side
move = numpy.array([[scale, 0, 80 - scale * (x + width / 2)], [0, scale, 80 - scale * (y + height / 2)]])
crop = cv2.warpAffine(cv2.imread("one.jpg")[..., ::-1], move, (160, 160))
maps = network.run(None, {network.get_inputs()[0].name: crop[None]})[0][0]
places = [numpy.unravel_index(one.argmax(), one.shape) for one in maps]
json.dump([[int(place) for place in one] for one in places], open("bare.json", "w"))
"""
PREDICT = ["-c", CALL, "predict", "one.jpg", "--boxes", "boxes.json", "--out", "out"]
ROWS = {
    "importing the command line": ["-c", "import posewright.cli"],
    "list --models": ["-c", CALL, "list", "--models"],
    "predict one.jpg --boxes, ONNX Runtime": [*PREDICT, "--backend", "onnxruntime"],
    "predict one.jpg --boxes, OpenVINO": [*PREDICT, "--backend", "openvino"],
}


def used() -> float:
    """CPU seconds of all processes that have ended."""
    told = resource.getrusage(resource.RUSAGE_CHILDREN)
    return told.ru_utime + told.ru_stime


def measured(source: Path, words: list[str], place: Path) -> float:
    """CPU seconds of one process."""
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "POSEWRIGHT_CACHE": str(place)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    shutil.rmtree(place / "out", ignore_errors=True)  # else the answers of the last round stand
    before = used()
    subprocess.run([sys.executable, *words], cwd=place, env=environment, capture_output=True, check=True)
    return used() - before


def main() -> None:
    """Print a table: before, after, their ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    sources = options.before.resolve(), HERE
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (scene,) = world(1, 3, size=(640, 480), people=(1, 1))
        cv2.imwrite(str(place / "one.jpg"), scene.pixels()[..., ::-1])
        x0, y0, x1, y1 = scene.people[0].box
        box = {"image_id": "one.jpg", "category_id": 1, "bbox": [x0, y0, x1 - x0, y1 - y0], "score": 1.0}
        (place / "boxes.json").write_text(json.dumps([box]))
        for name, words in ROWS.items():
            for source in sources:
                measured(source, words, place)  # the first compiles what it imports
            pairs = [[measured(source, words, place) for source in sources] for _ in range(options.rounds)]
            before, after = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
            print(f"{name:40} {before:6.2f} s {after:6.2f} s  x{before / after:.2f}", flush=True)
        words = ["-c", BARE, str(embedded_file("pose"))]
        bare = statistics.median(measured(HERE, words, place) for _ in range(options.rounds))
        print(f"{'a bare script with ONNX Runtime':40} {bare:6.2f} s", flush=True)


if __name__ == "__main__":
    main()
