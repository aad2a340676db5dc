"""Real captures beside the peers' stored answers: how well points fit, how constant bones are, how many there are.

    python benchmarks/real_sets.py DATA

DATA holds the sets in multiview/, and the peers' answers in ../reference. No set has 3D truth. `fits`: the mean over
the cameras that saw a joint of its reprojection error, px, median and 95th percentile over joints and frames, whether a
method used that camera or not. `bones`: the standard deviation of each bone's length over its mean, per cent, median
over bones. `found`: share of joints and frames with a point, of those that two cameras or more saw. Intervals: block
bootstrap over 10 blocks of frames, 2,000 draws, of the median fit.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np

from posewright.geometry import Camera
from posewright.multiview.rig import Rig
from posewright.multiview.suspects import refitted
from posewright.multiview.triangulate import triangulate_views
from posewright.multiview.views import Views
from posewright.skeleton import Skeleton

PEERS = ("pose2sim_points", "anipose_dlt", "anipose_fast", "anipose_optim", "opencv_pair01", "least_squares_cauchy")
BONES = {
    "pose2sim_single": (("RHip", "RKnee"), ("RKnee", "RAnkle"), ("LHip", "LKnee"), ("LKnee", "LAnkle"),
                        ("RShoulder", "RElbow"), ("RElbow", "RWrist"), ("LShoulder", "LElbow"), ("LElbow", "LWrist")),
    "fly": (),
}  # fmt: skip


def capture(data: Path, name: str) -> tuple[Rig, Views, dict[str, np.ndarray]]:
    """Cameras in mm, the very 2D that the peers were given, and their answers (F, K, 3) in mm."""
    with np.load(data.parent / "reference" / f"multiview_{name}.npz", allow_pickle=False) as stored:
        file = {key: stored[key] for key in stored}
    scale = 1000.0 if name == "pose2sim_single" else 1.0
    names = tuple(f"cam_{n}" for n in range(len(file["K"])))
    numbers = zip(file["K"], file["R"], file["t"] * scale, file["distortion"], strict=True)
    rig = Rig({n: Camera(*each) for n, each in zip(names, numbers, strict=True)})
    joints = tuple(map(str, file["input_names"]))
    bones = BONES[name] or tuple(pairwise(joints))
    xy, score = file["input_xy"].astype(float)[:, :, None], file["input_score"].astype(float)[:, :, None]
    views = Views(names, Skeleton(name, joints, tuple(b for b in bones if set(b) <= set(joints))), xy, score)
    answers = {p: file[f"output_{p}"].astype(float) * scale for p in PEERS}
    return rig, views, answers


def measured(rig: Rig, views: Views, xyz: np.ndarray) -> str:
    """Fit, bones and share of points (F, K, 3)."""
    seen = views.xy[:, :, 0]
    apart = np.stack([np.linalg.norm(c.project(xyz) - v, axis=-1)
                      for c, v in zip(rig.cameras.values(), seen, strict=True)])  # fmt: skip
    there = np.isfinite(apart)
    mean = np.where(there, apart, 0).sum(0) / np.where(there.any(0), there.sum(0), np.nan)
    blocks = np.array_split(mean, 10)
    rng = np.random.default_rng(0)
    draws = [np.nanmedian(np.concatenate([blocks[b] for b in rng.integers(0, 10, 10)])) for _ in range(2000)]
    low, high = np.percentile(draws, [2.5, 97.5])
    ends = np.array([[views.skeleton.index(j) for j in limb] for limb in views.skeleton.limbs])
    length = np.linalg.norm(xyz[:, ends[:, 0]] - xyz[:, ends[:, 1]], axis=-1)
    vary = 100 * np.nanmedian(np.nanstd(length, axis=0) / np.nanmean(length, axis=0))
    possible = np.isfinite(seen[..., 0]).sum(0) >= 2
    found = (np.isfinite(xyz).all(-1) & possible).sum() / possible.sum()
    return (f"fits {np.nanmedian(mean):6.2f} [{low:.2f}, {high:.2f}] / {np.nanpercentile(mean, 95):6.2f} px  "
            f"bones {vary:5.2f} %  found {found:.3f}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    for name in BONES:
        rig, views, answers = capture(data, name)
        print(f"== {name}: {views.xy.shape[0]} cameras, {views.xy.shape[1]} frames, {len(views.skeleton)} joints, "
              f"{len(views.skeleton.limbs)} bones")  # fmt: skip
        print(f"{'posewright':28s} {measured(rig, views, triangulate_views(rig, views).xyz[:, 0])}", flush=True)
        if len(rig) > 3:
            again, _ = refitted(rig, views, list(rig.cameras)[2:3])
            points = triangulate_views(again, views)
            print(f"{'posewright, cam_2 refitted':28s} {measured(again, views, points.xyz[:, 0])}", flush=True)
        for peer, xyz in answers.items():
            print(f"{peer:28s} {measured(rig, views, xyz)}", flush=True)


if __name__ == "__main__":
    main()
