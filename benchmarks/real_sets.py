"""Real captures beside the peers' stored answers: how well points fit, how constant bones are, how many there are.

    python benchmarks/real_sets.py DATA

DATA holds the sets in multiview/, and the peers' answers in ../reference. No set has 3D truth. `fits`: the mean over
the cameras that saw a joint of its reprojection error, px, median and 95th percentile over joints and frames, whether a
method used that camera or not. `bones`: the standard deviation of each bone's length over its mean, per cent, median
over bones (of the fly, the two points of each leg), and by how much that differs from a plain DLT's on the same frames.
`found`: share of joints and frames with a point, of those that two cameras or more saw. Intervals: block bootstrap over
10 blocks of frames, 2,000 draws, of the median fit and of bones' difference. "Views alike": one noise for all.
"""

import argparse
from pathlib import Path

import numpy as np

from posewright.geometry import Camera
from posewright.multiview.rig import Rig
from posewright.multiview.suspects import refitted
from posewright.multiview.triangulate import Rules, triangulate_views
from posewright.multiview.views import Views
from posewright.skeleton import Skeleton

PEERS = ("pose2sim_points", "anipose_dlt", "anipose_fast", "anipose_optim", "opencv_pair01", "least_squares_cauchy")
BONES = {
    "pose2sim_single": (("RHip", "RKnee"), ("RKnee", "RAnkle"), ("LHip", "LKnee"), ("LKnee", "LAnkle"),
                        ("RShoulder", "RElbow"), ("RElbow", "RWrist"), ("LShoulder", "LElbow"), ("LElbow", "LWrist")),
    "fly": tuple((f"{side}{leg}A", f"{side}{leg}B") for side in "LR" for leg in "123"),
}  # fmt: skip
ALIKE = {"pose2sim_single": 12.0, "fly": 1.5}
"""px, the noise that all views are taken to have where they count alike: what pairs of them show."""


def capture(data: Path, name: str) -> tuple[Rig, Views, dict[str, np.ndarray]]:
    """Cameras in mm, the very 2D that the peers were given, and their answers (F, K, 3) in mm."""
    with np.load(data.parent / "reference" / f"multiview_{name}.npz", allow_pickle=False) as stored:
        file = {key: stored[key] for key in stored}
    scale = 1000.0 if name == "pose2sim_single" else 1.0
    names = tuple(f"cam_{n}" for n in range(len(file["K"])))
    numbers = zip(file["K"], file["R"], file["t"] * scale, file["distortion"], strict=True)
    rig = Rig({n: Camera(*each) for n, each in zip(names, numbers, strict=True)})
    joints = tuple(map(str, file["input_names"]))
    xy, score = file["input_xy"].astype(float)[:, :, None], file["input_score"].astype(float)[:, :, None]
    views = Views(names, Skeleton(name, joints, tuple(b for b in BONES[name] if set(b) <= set(joints))), xy, score)
    answers = {p: file[f"output_{p}"].astype(float) * scale for p in PEERS}
    return rig, views, answers


def measured(rig: Rig, views: Views, xyz: np.ndarray, other: np.ndarray) -> str:
    """Fit, bones and share of points (F, K, 3), and how much the bones differ from another method's."""
    seen = views.xy[:, :, 0]
    apart = np.stack([np.linalg.norm(c.project(xyz) - v, axis=-1)
                      for c, v in zip(rig.cameras.values(), seen, strict=True)])  # fmt: skip
    there = np.isfinite(apart)
    mean = np.where(there, apart, 0).sum(0) / np.where(there.any(0), there.sum(0), np.nan)
    blocks = np.array_split(np.arange(len(mean)), 10)
    rng = np.random.default_rng(0)
    draws = [np.concatenate([blocks[b] for b in rng.integers(0, 10, 10)]) for _ in range(2000)]
    low, high = np.percentile([np.nanmedian(mean[rows]) for rows in draws], [2.5, 97.5])
    own, others = lengths(views.skeleton, xyz), lengths(views.skeleton, other)
    less, more = np.percentile([varying(own[rows]) - varying(others[rows]) for rows in draws], [2.5, 97.5])
    possible = np.isfinite(seen[..., 0]).sum(0) >= 2
    found = (np.isfinite(xyz).all(-1) & possible).sum() / possible.sum()
    return (f"fits {np.nanmedian(mean):6.2f} [{low:.2f}, {high:.2f}] / {np.nanpercentile(mean, 95):6.2f} px  "
            f"bones {varying(own):5.2f} % (DLT's {less:+.2f} to {more:+.2f})  found {found:.3f}")  # fmt: skip


def lengths(skeleton: Skeleton, xyz: np.ndarray) -> np.ndarray:
    """Length of each bone in each frame (F, L)."""
    ends = np.array([[skeleton.index(j) for j in limb] for limb in skeleton.limbs])
    return np.linalg.norm(xyz[:, ends[:, 0]] - xyz[:, ends[:, 1]], axis=-1)


def varying(length: np.ndarray) -> float:
    """Per cent by which a bone's length varies, median over bones."""
    return float(100 * np.nanmedian(np.nanstd(length, axis=0) / np.nanmean(length, axis=0)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    for name in BONES:
        rig, views, answers = capture(data, name)
        print(f"== {name}: {views.xy.shape[0]} cameras, {views.xy.shape[1]} frames, {len(views.skeleton)} joints, "
              f"{len(views.skeleton.limbs)} bones")  # fmt: skip
        dlt = answers["anipose_dlt"]
        for how, rules in (("posewright", Rules()), ("posewright, views alike", Rules(sigma=ALIKE[name]))):
            xyz = triangulate_views(rig, views, rules).xyz[:, 0]
            print(f"{how:28s} {measured(rig, views, xyz, dlt)}", flush=True)
        if len(rig) > 3:
            again, _ = refitted(rig, views, list(rig.cameras)[2:3])
            points = triangulate_views(again, views)
            print(f"{'posewright, cam_2 refitted':28s} {measured(again, views, points.xyz[:, 0], dlt)}", flush=True)
        for peer, xyz in answers.items():
            print(f"{peer:28s} {measured(rig, views, xyz, dlt)}", flush=True)


if __name__ == "__main__":
    main()
