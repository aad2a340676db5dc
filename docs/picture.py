"""Draw docs/images/demo.png: estimates of the embedded network, and the same people with one keypoint covered."""

from pathlib import Path

import numpy as np

import posewright
from posewright import picture
from posewright.datasets.synthetic import scene
from posewright.demo import SEED, enlarged
from posewright.occlusion.presets import keypoint_attack
from posewright.report.drawing import sheet
from posewright.scene import aim, take

PEOPLE = (14, 16, 18, 35, 43, 48)
COVERED = ((14, "left_knee"), (35, "neck"), (43, "right_hip"))

estimator = posewright.load()
skeleton = estimator.codec.skeleton
tiles, captions = [], []
for index in PEOPLE:
    drawn = scene(SEED, index, skeleton=skeleton, people=(1, 2))
    boxes = [person.box for person in drawn.people]
    tiles.append(enlarged(drawn.pixels(), estimator(drawn, boxes), skeleton))
    captions.append("estimate")
for index, keypoint in COVERED:
    drawn = scene(SEED, index, skeleton=skeleton, people=(1, 2))
    clean = take(drawn, aim(drawn.people[0].box, estimator.codec.size))
    box = clean.warp.box(drawn.people[0].box)
    for shown in (clean, keypoint_attack(keypoint, "blackout", 18)(clean, np.random.default_rng(0))):
        tiles.append(enlarged(shown.pixels, estimator(shown.pixels, [box]), skeleton))
    captions += ["clean", f"{keypoint.replace('_', ' ')} covered"]
out = Path(__file__).parent / "images" / "demo.png"
out.parent.mkdir(exist_ok=True)
picture.write(out, np.ascontiguousarray(sheet(tiles, 6, captions, cell=(220, 220))))
