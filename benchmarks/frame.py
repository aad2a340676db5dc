"""Everybody's keypoints in one frame, beside rtmlib with the same HRNet-W32 (random weights, 256x192, boxes given).

    pip install --no-deps rtmlib tqdm
    python benchmarks/frame.py [--rounds N] [--backend onnxruntime|openvino]

CPU seconds of one process on one thread, in turn, fp32 on both sides (rtmlib takes OpenVINO as it comes, which is bf16
where a processor has it: it is told here), both decoding by UDP's second-order step. Last, one picture by whole
processes: `posewright predict one.jpg --boxes` with its overlay and files, beside a script of five lines with rtmlib.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np

import posewright
from posewright.codecs.udp import Udp, around
from posewright.datasets.synthetic import world
from posewright.skeleton import COCO

PEOPLE = (1, 4, 16)
SIZE = (192, 256)
OURS = "import sys; from posewright.cli import run; sys.exit(run())"
THEIRS = """
import json, sys, cv2
from rtmlib import ViTPose
x, y, width, height = json.load(open("boxes.json"))[0]["bbox"]
found = ViTPose(sys.argv[1], backend=sys.argv[2])(cv2.imread("one.jpg"), [[x, y, x + width, y + height]])
json.dump([each.tolist() for each in found], open("theirs.json", "w"))
"""


def written(place: Path) -> tuple[Path, Path]:
    """Write the same network as posewright's file and as one that takes normalised planes."""
    import torch

    from posewright.models.hrnet import hrnet_w32
    from posewright.train import export

    torch.manual_seed(0)
    network = hrnet_w32(len(COCO)).eval()
    ours, theirs = place / "ours.onnx", place / "theirs.onnx"
    codec = Udp(COCO, size=SIZE)
    export.onnx(network, codec, {}, ours, aim=around, bound=export.Bound(1e9, 1.0))

    class Planes(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            """Return the maps alone."""
            maps: torch.Tensor = self.network(images)[-1].maps
            return maps

    shown = torch.zeros(1, 3, *SIZE[::-1])
    torch.onnx.export(Planes(), (shown,), str(theirs), input_names=["images"], dynamo=False,
                      dynamic_axes={"images": {0: "batch"}})  # fmt: skip
    return ours, theirs


def rtmlib_of(file: Path, backend: str) -> Any:
    """Load rtmlib's class for networks of maps, told of one thread and fp32, of which it says nothing itself."""
    import onnxruntime
    import openvino
    from rtmlib import ViTPose

    compiled, session = openvino.Core.compile_model, onnxruntime.InferenceSession
    one = onnxruntime.SessionOptions()
    one.intra_op_num_threads = 1

    def compile_model(core: Any, model: Any, device_name: str, config: dict[str, Any]) -> Any:
        more = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
        return compiled(core, model, device_name, config | more)

    def opened(path_or_bytes: str, providers: list[str]) -> Any:
        return session(path_or_bytes, one, providers=providers)

    with patch("openvino.Core.compile_model", compile_model), patch("onnxruntime.InferenceSession", opened):
        return ViTPose(str(file), backend=backend)


def timed(call: Callable[[], Any]) -> float:
    """CPU seconds of one call."""
    before = process_time()
    call()
    return process_time() - before


def process(words: Sequence[str], place: Path) -> float:
    """CPU seconds of a whole process."""
    shutil.rmtree(place / "out", ignore_errors=True)
    environment = os.environ | {"POSEWRIGHT_CACHE": str(place)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], cwd=place, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def told(name: str, pairs: list[list[float]]) -> None:
    """Print a row: medians, and the median of the pairs' ratios."""
    theirs, ours = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
    ratio = statistics.median(pair[0] / pair[1] for pair in pairs)
    print(f"{name:44} rtmlib {1e3 * theirs:8.1f} ms  posewright {1e3 * ours:8.1f} ms  x{ratio:.3f}", flush=True)


def main() -> None:
    """Print a row for each number of people, and for the whole process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--backend", choices=("onnxruntime", "openvino"), default="onnxruntime")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        files = written(place)
        (scene,) = world(1, 3, size=(640, 480), people=(1, 1))
        image, box = scene.pixels(), np.asarray(scene.people[0].box)
        estimator = posewright.load(files[0], backend=options.backend, threads=1)
        peer = rtmlib_of(files[1], options.backend)
        rgb = np.ascontiguousarray(image[..., ::-1])
        for people in PEOPLE:
            boxes = [box + 3.0 * n for n in range(people)]
            calls = (lambda boxes=boxes: peer(image, boxes)), (lambda boxes=boxes: estimator(image, boxes))
            found = calls[0]()[0], np.stack([person.keypoints for person in calls[1]()])
            print(f"median distance of keypoints {np.median(np.linalg.norm(found[0] - found[1], axis=-1)):.3f} px")
            told(
                f"{people} people, {options.backend}", [[timed(call) for call in calls] for _ in range(options.rounds)]
            )
        cv2.imwrite(str(place / "one.jpg"), rgb)
        x0, y0, x1, y1 = box
        (place / "boxes.json").write_text(json.dumps([{"image_id": "one.jpg", "category_id": 1, "score": 1.0,
                                                       "bbox": [x0, y0, x1 - x0, y1 - y0]}]))  # fmt: skip
        words = (
            ["-c", THEIRS, str(files[1]), options.backend],
            ["-c", OURS, "predict", "one.jpg", "--model", str(files[0]), "--boxes", "boxes.json", "--out", "out",
             "--backend", options.backend],
        )  # fmt: skip
        for each in words:
            process(each, place)  # the first compiles what it imports
        told("one picture, a whole process", [[process(each, place) for each in words] for _ in range(options.rounds)])


if __name__ == "__main__":
    main()
