"""The thesis's figure 2.8: time against the number of people, bottom-up and top-down over the same backbone.

    python benchmarks/people_and_time.py people_and_time.png

MultiPoseNet over ResNet-50 looks once at a picture of 480x480 px, and a pose residual network of 1024 nodes groups
what lies in 1 to 20 boxes. SimpleBaseline over ResNet-50 looks at a crop of 256x192 px for each person, in boxes that
are given, or that MultiPoseNet's own detector finds first: its backbone and its half for boxes. Weights are drawn by
chance, for the time does not depend on them; what is decoded is drawn from people of known places. PyTorch, fp32, one
thread, CPU time, contenders in turn, median of the rounds.
"""

import os
import sys
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from grouping import BODY, milliseconds
from matplotlib.figure import Figure

from posewright.codecs.bottom_up.multiposenet import MultiPoseNet
from posewright.estimators.runtimes.residual import load
from posewright.fields import Heatmaps
from posewright.models.multiposenet import multiposenet_r50
from posewright.models.prn import PRN
from posewright.models.simple_baseline import simple_baseline_r50
from posewright.recipes import recipe_named
from posewright.scene import Person
from posewright.skeleton import COCO
from posewright.train.export.residual import export_prn

COUNTS, ROUNDS, SIDE = (1, 2, 4, 6, 8, 12, 16, 20), 5, 480


def people(count: int) -> list[Person]:
    """Stand people of 90 px in rows of five."""
    cells = [(np.array([n % 5, n // 5]) + 0.5) * (SIDE / 5, SIDE / 4) for n in range(count)]
    around = np.array([[-36, -50], [36, 50]])
    return [Person(cell + 90 * BODY, box=(cell + around).ravel()) for cell in cells]


def bottom_up(respond: Callable) -> Callable[[int], Callable[[], object]]:
    """Return what MultiPoseNet does for so many people."""
    network, codec = multiposenet_r50().eval(), MultiPoseNet(COCO, (SIDE, SIDE), respond=respond)
    picture = torch.zeros(1, 3, SIDE, SIDE)

    def work(count: int) -> Callable[[], object]:
        drawn = codec.encode([people(count)])
        assert len(codec.decode(drawn)[0]) == count

        def once() -> None:
            network(picture)
            codec.decode(drawn)

        return once

    return work


def detector() -> Callable[[], object]:
    """Return the half of MultiPoseNet that finds boxes."""
    network = multiposenet_r50().eval()
    picture = torch.zeros(1, 3, SIDE, SIDE)
    return lambda: network.box_head(network.box_pyramid(network.for_boxes(network.backbone.pyramid(picture))))


def top_down(find: Callable[[], object] | None) -> Callable[[int], Callable[[], object]]:
    """Return what SimpleBaseline does for so many people, and what finds their boxes."""
    network, codec = simple_baseline_r50().eval(), recipe_named("simple_baseline_r50_coco").codec

    def work(count: int) -> Callable[[], object]:
        crops = torch.zeros(count, 3, 256, 192)

        def once() -> None:
            if find is not None:
                find()
            codec.decode(Heatmaps(network(crops)[-1].maps.numpy()))

        return once

    return work


def main(out: str) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        export_prn(PRN(17, 1024).eval(), COCO.keypoints, Path(folder) / "prn.onnx")
        works = {
            "MultiPoseNet": bottom_up(load(Path(folder) / "prn.onnx", 17, 1).respond),
            "SimpleBaseline, boxes given": top_down(None),
            "SimpleBaseline, boxes found": top_down(detector()),
        }
        rows = [milliseconds({name: work(count) for name, work in works.items()}, ROUNDS) for count in COUNTS]
    axes = (figure := Figure((7, 4.5), layout="constrained")).add_subplot()
    for name in works:
        values = [row[name] / 1000 for row in rows]
        axes.plot(COUNTS, values, marker="o", label=name)
        slope, once = np.polyfit(COUNTS, values, 1)
        print(f"{name:28} {' '.join(f'{v:6.2f}' for v in values)} s   {once:.2f} s and {1e3 * slope:.1f} ms a person")
    axes.set(xlabel="people in the picture", ylabel="CPU seconds a picture", ylim=(0, None), xticks=COUNTS)
    axes.legend(frameon=False)
    figure.savefig(out, dpi=100)


if __name__ == "__main__":
    main(sys.argv[1])
