"""Draw the pictures of docs/multiview.md: a made-up walk before four cameras, with what goes wrong in real captures.

python docs/multiview.py
"""

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from posewright import picture
from posewright.datasets.synthetic import filmed, ring, walk
from posewright.multiview.pictures import draw_gaps, draw_reasons, draw_rig
from posewright.multiview.rig import Rig
from posewright.multiview.triangulate import triangulate_views
from posewright.multiview.views import Views
from posewright.report.drawing import draw, sheet
from posewright.report.figure import PALETTE
from posewright.skeleton import COCO, H36M

IMAGES = Path(__file__).parent / "images"
SIZE = (1000, 1000)


def main() -> None:
    rng = np.random.default_rng(0)
    names = tuple(f"cam_{n}" for n in range(4))
    truth = walk(90)
    rig = Rig(dict(zip(names, ring(4, SIZE, rng), strict=True)), dict.fromkeys(names, SIZE), "z")
    points = triangulate_views(rig, spoilt(rig, truth, rng))
    for name, drawn in (
        ("rig", draw_rig(rig, points)),
        ("reasons", draw_reasons(points, 0)),
        ("gaps", draw_gaps(points, 0)),
    ):
        coloured = re.sub(r"var\(--([a-z]*)\)", lambda found: PALETTE[found[1]], drawn)
        size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', coloured)
        ground = f'<rect width="{size[1]}" height="{size[2]}" fill="#ffffff"/>' if size else ""
        (IMAGES / f"multiview_{name}.svg").write_text(re.sub(r"(<svg[^>]*>)", rf"\1{ground}", coloured, count=1))
    instants = list(filmed(truth[::30], ring(4, (256, 256), np.random.default_rng(0)), [(256, 256)] * 4, COCO, seed=3))
    drawn = [draw(instant[v].pixels(), instant[v].people, COCO) for instant in instants[:2] for v in range(4)]
    small = sheet(drawn, 4, [f"cam_{v}" for _ in range(2) for v in range(4)], cell=(200, 200))
    picture.write(IMAGES / "multiview.png", cv2.resize(small, None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA))


def spoilt(rig: Rig, truth: np.ndarray, rng: np.random.Generator) -> Views:
    """Film the walk with 3 px of noise, outliers, low scores, exchanged sides, and a camera that loses the feet."""
    xy = np.stack([camera.project(truth) for camera in rig.cameras.values()])[:, :, None]
    xy += rng.normal(0, 3, xy.shape)
    scores = rng.uniform(0.7, 0.95, xy.shape[:-1])
    xy[rng.random(scores.shape) < 0.04] += 90
    scores[1, :, :, [13, 16]] = 0.2
    xy[3, 40:, :, [3, 6]] = np.nan
    xy[:3, 55:62, :, 6] = np.nan
    xy[2, 20:32] = xy[2, 20:32][:, :, H36M.mirror]
    views = Views(tuple(rig.cameras), H36M, xy, scores, fps=30.0)
    return replace(views, scores=np.where(np.isfinite(xy[..., 0]), scores, np.nan))


if __name__ == "__main__":
    main()
