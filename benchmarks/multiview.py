"""Several cameras beside the peers' stored answers: the figures to beat, on the same files, one core.

    python benchmarks/multiview.py [--data DIR] [--only accuracy people calibrate shelf speed]

DIR holds the real data (POSEWRIGHT_DATA otherwise); the peers' answers lie in ../reference beside it. The made-up
views are a walk of 150 frames with 17 joints before four of Human3.6M's cameras, truth known. Errors are mean and 95th
percentile over joints and frames, mm; the interval is a block bootstrap over 10 blocks of 15 frames, 2,000 draws.
Speeds are frames a second of CPU time, one thread, median of five.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from time import process_time

import numpy as np

from posewright.datasets.openpose import BODY_25
from posewright.geometry import Camera
from posewright.multiview.calibrate import place_cameras
from posewright.multiview.capture import points_of, read_capture
from posewright.multiview.people import affinities, joined, match_people
from posewright.multiview.rig import Rig
from posewright.multiview.suspects import leave_each_out, refitted
from posewright.multiview.sync import find_offsets, shifted
from posewright.multiview.tracking import track_people
from posewright.multiview.tracks import write_points
from posewright.multiview.triangulate import Rules, exchanges, triangulate_views
from posewright.multiview.views import Views
from posewright.skeleton import H36M

CONDITIONS = (
    "exact noise2 outliers5 swap_cam2 down_cam3 two_cams late_cam0 missing20 hetero combined bumped_cam1".split()
)
PEERS = ("pose2sim_default", "pose2sim_undistort", "anipose_dlt", "anipose_optim", "opencv_pair01", "caliscope_dlt")
NAMES = tuple(f"cam_{n}" for n in range(4))
Arrays = dict[str, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=os.environ.get("POSEWRIGHT_DATA"))
    parser.add_argument("--only", nargs="*", default=["accuracy", "people", "calibrate", "shelf", "speed"])
    chosen = parser.parse_args()
    data = Path(chosen.data)
    parts: dict[str, Callable[[Path], None]] = {
        "accuracy": accuracy, "people": people, "calibrate": calibrate, "shelf": shelf, "speed": speed,
    }  # fmt: skip
    for name in chosen.only:
        print(f"\n== {name}")
        parts[name](data)


def vector(data: Path, name: str) -> Arrays:
    with np.load(data.parent / "reference" / f"{name}.npz", allow_pickle=False) as file:
        return dict(file)


def rig_of(file: Arrays, condition: str = "") -> Rig:
    R, t = file["input_R"].copy(), file["input_t"].copy()
    if condition == "bumped_cam1":
        R[1], t[1] = file["input_R_bumped1"], file["input_t_bumped1"]
    cameras = zip(file["input_K"], R, t, file["input_distortion"], strict=True)
    return Rig({name: Camera(*numbers) for name, numbers in zip(NAMES, cameras, strict=True)}, up="z")


def views_of(file: Arrays, condition: str) -> Views:
    xy, score = (file[f"input_{what}_{condition}"].astype(np.float64)[:, :, None] for what in ("xy", "score"))
    return Views(NAMES, H36M, xy, score, fps=30.0)


def told(error: np.ndarray) -> str:
    """Mean and 95th percentile, the interval of the mean by blocks of frames, and the share that is there."""
    blocks = [np.nanmean(block) for block in np.array_split(error, 10) if np.isfinite(block).any()]
    draws = np.random.default_rng(0).choice(blocks, (2000, len(blocks))).mean(1)
    low, high = np.percentile(draws, [2.5, 97.5])
    mean, worst, found = np.nanmean(error), np.nanpercentile(error, 95), np.isfinite(error).mean()
    return f"{mean:6.2f} [{low:.2f}, {high:.2f}] / {worst:5.1f}  found {found:.3f}"


def accuracy(data: Path) -> None:
    file = vector(data, "multiview_triangulate")
    truth = file["truth"].astype(np.float64)
    print("posewright, per frame, mm; then the peers' means")
    for condition in CONDITIONS:
        rig, views = rig_of(file, condition), views_of(file, condition)
        points = triangulate_views(rig, views)
        error = points.xyz[:, 0] - truth
        known = np.isfinite(error).all(-1)
        square = np.einsum("ni,nij,nj->n", error[known], np.linalg.inv(points.covariance[:, 0][known]), error[known])
        peers = {
            name: np.nanmean(np.linalg.norm(file[f"output_{name}__{condition}"] - truth, axis=-1)) for name in PEERS
        }
        print(f"{condition:12s} {told(np.linalg.norm(error, axis=-1))}  Mahalanobis {square.mean():.2f}   "
              + "  ".join(f"{name} {value:.1f}" for name, value in peers.items()))  # fmt: skip
        noted(file, truth, condition, rig, views, exchanges(points))


def noted(file: Arrays, truth: np.ndarray, condition: str, rig: Rig, views: Views, found: np.ndarray) -> None:
    """Exchanged views named, a camera that disagrees, a late one."""
    swapped = np.zeros((len(truth), 4), bool)
    if condition in ("swap_cam2", "combined"):
        swapped[:, 2] = file["input_swap_frames"]
    named = np.zeros_like(swapped)
    named[found[:, 0], found[:, 2]] = True
    if swapped.any() or named.any():
        print(
            f"{'':12s} exchanged views named {(named & swapped).sum()} of {swapped.sum()}, "
            f"false {(named & ~swapped).sum()} of {(~swapped).sum()}"
        )
    suspect = leave_each_out(rig, views).suspect
    if suspect:
        again, how = refitted(rig, views, [suspect])
        print(f"{'':12s} {how}: {told(np.linalg.norm(triangulate_views(again, views).xyz[:, 0] - truth, axis=-1))}")
    if condition != "two_cams" and condition != "down_cam3":
        offsets = find_offsets(rig, views)
        if offsets.sure.any():
            moved = triangulate_views(rig, shifted(views, offsets.sure)).xyz[:, 0]
            print(
                f"{'':12s} late {np.round(offsets.late, 3)} +- {np.round(offsets.sigma, 3)}: "
                f"{told(np.linalg.norm(moved - truth, axis=-1))}"
            )


def people(data: Path) -> None:
    file = vector(data, "multiview_people")
    rig = rig_of(file)
    views = Views(NAMES, H36M, file["input_xy"].astype(np.float64), file["input_score"].astype(np.float64))
    seconds = timed(lambda: match_people(rig, views))
    ours = joined(affinities(rig, views))
    theirs = np.arange(12) + 100 + np.zeros((100, 1), int)
    for f, group, v in np.argwhere(file["output_pose2sim_groups"] >= 0):
        theirs[f, 3 * v + file["output_pose2sim_groups"][f, group, v]] = group
    for name, groups in (("posewright", ours), ("pose2sim", theirs)):
        print(name, "precision {:.4f} recall {:.4f}".format(*pairs_right(groups, file["truth_person"])))
    print(f"frames/s {100 / seconds:.0f}")


def pairs_right(groups: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    label, view = truth.transpose(1, 0, 2).reshape(len(groups), -1), np.repeat(np.arange(4), 3)
    right = joint = wanted = 0
    for a, b in combinations(range(12), 2):
        both = (label[:, a] >= 0) & (label[:, b] >= 0) & (view[a] != view[b])
        same, put = label[:, a] == label[:, b], groups[:, a] == groups[:, b]
        right, joint, wanted = (
            right + (both & same & put).sum(),
            joint + (both & put).sum(),
            wanted + (both & same).sum(),
        )
    return right / joint, right / wanted


def calibrate(data: Path) -> None:
    file = vector(data, "multiview_triangulate")
    truth = file["truth"].astype(np.float64).reshape(-1, 3)
    bare = rig_of(file)
    bare = replace(
        bare, cameras={n: Camera(c.K, np.eye(3), np.zeros(3), c.distortion) for n, c in bare.cameras.items()}
    )
    for condition in ("noise2", "outliers5", "combined"):
        views = views_of(file, condition)
        start = process_time()
        placed = place_cameras(bare, views)
        seconds = process_time() - start
        found = triangulate_views(placed.rig, views).xyz.reshape(-1, 3)
        print(f"{condition:12s} aligned {told(aligned(found, truth).reshape(150, 17))}  {seconds:.1f} s")


def aligned(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distances after one similarity for the whole recording; NaN where nothing was found."""
    known = np.isfinite(found).all(-1)
    a, b = found[known] - found[known].mean(0), truth[known] - truth[known].mean(0)
    U, S, Vt = np.linalg.svd(a.T @ b)
    D = np.array([1, 1, np.sign(np.linalg.det(U @ Vt))])
    apart = np.full(len(found), np.nan)
    apart[known] = np.linalg.norm((S * D).sum() / (a**2).sum() * (a @ (U * D) @ Vt) - b, axis=-1)
    return apart


def shelf(data: Path) -> None:
    with np.load(data / "multiview" / "shelf" / "shelf.npz", allow_pickle=False) as arrays:
        file = dict(arrays)
    cameras = zip(file["K"], file["R"], file["t"] * 1000, strict=True)
    rig = Rig({f"cam_{n}": Camera(*numbers) for n, numbers in enumerate(cameras)}, up="z")
    found = file["people"].astype(np.float64)
    views = Views(tuple(rig.cameras), BODY_25, np.where(found[..., 2:] > 0, found[..., :2], np.nan), found[..., 2])
    start = process_time()
    points = track_people(triangulate_views(rig, match_people(rig, views), Rules(least_score=0.1)))
    seconds = process_time() - start
    joints = [BODY_25.index(str(name).replace(" ", "_")) for name in file["joints_truth"][:12]]
    truth = file["truth"].astype(np.float64) * 1000
    peer = vector(data, "multiview_shelf")["output_pose2sim"].astype(np.float64) * 1000
    fourd = file["peer_4d_association"].astype(np.float64)[:, :, [13, 7, 2, 3, 8, 14, 15, 11, 5, 6, 12, 16]] * 1000
    print(f"limbs correct by actor, per cent, frames 300-449; posewright {150 / seconds:.0f} frames/s")
    for name, xyz in (("posewright", points.xyz[:, :, joints]), ("pose2sim", peer), ("4d association", fourd)):
        print(f"{name:15s}", limbs_right(xyz, truth))


def limbs_right(xyz: np.ndarray, truth: np.ndarray) -> list[float]:
    """PCP of the 8 limbs, of the found person nearest to each actor within half a metre."""
    limbs = np.array([(0, 1), (1, 2), (3, 4), (4, 5), (6, 7), (7, 8), (9, 10), (10, 11)])
    shares = []
    for actor in range(truth.shape[1]):
        right = []
        for f in np.flatnonzero(np.isfinite(truth[:, actor, :12, 0]).any(-1)):
            apart = np.linalg.norm(xyz[f] - truth[f, actor, :12], axis=-1)
            mean = np.array([a[np.isfinite(a)].mean() if np.isfinite(a).any() else np.inf for a in apart])
            ends = truth[f, actor, limbs]
            length = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=-1)
            error = apart[mean.argmin()][limbs].mean(-1) if mean.min() < 500 else np.full(len(limbs), np.nan)
            right += list((np.nan_to_num(error, nan=np.inf) <= length / 2)[np.isfinite(length)])
        shares.append(round(100 * float(np.mean(right)), 1) if right else float("nan"))
    return shares


def speed(data: Path) -> None:
    file = vector(data, "multiview_triangulate")
    long = views_of(file, "outliers5")
    long = replace(long, xy=np.tile(long.xy, (1, 20, 1, 1, 1)), scores=np.tile(long.scores, (1, 20, 1, 1)))
    rig = rig_of(file)
    print(f"4 cameras, 3,000 frames, all of it: {3000 / timed(lambda: triangulate_views(rig, long)):.0f} frames/s")
    for count in (4, 8, 12, 16):
        ring, seen, truth = ring_of(file, count)
        seconds = timed(lambda ring=ring, seen=seen: triangulate_views(ring, seen))
        error = np.linalg.norm(triangulate_views(ring, seen).xyz[:, 0] - truth, axis=-1)
        print(
            f"ring of {count:2d}, 10 % outliers, 2 px, {len(truth)} frames: {len(truth) / seconds:6.0f} frames/s, "
            f"{told(error)}"
        )
    single = data / "multiview" / "pose2sim_single"
    out = Path(os.environ.get("TMPDIR", "/tmp")) / "multiview_benchmark.trc"

    def whole() -> None:
        capture = read_capture(
            str(single / "calibration" / "Calib.qca.txt"), [single / "pose"], "openpose_body_25b", fps=60
        )
        write_points(out, points_of(*capture, people=1))

    print(f"JSON to .trc, 4 x 100 frames, reading included: {timed(whole):.2f} s of CPU")


def ring_of(file: Arrays, count: int) -> tuple[Rig, Views, np.ndarray]:
    """Cameras on a ring of 4 m around the walk, a tenth of the points moved by 30 to 200 px."""
    rng = np.random.default_rng(count)
    truth = np.tile(file["truth"].astype(np.float64), (4, 1, 1))
    middle = truth.mean((0, 1))
    cameras = {}
    for n in range(count):
        around = 2 * np.pi * n / count
        center = middle + np.array([4000 * np.cos(around), 4000 * np.sin(around), 600.0])
        ahead = (middle - center) / np.linalg.norm(middle - center)
        right = np.cross(ahead, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        R = np.stack([right, np.cross(ahead, right), ahead])
        cameras[f"cam_{n}"] = Camera(file["input_K"][n % 4], R, -R @ center)
    xy = np.stack([c.project(truth) for c in cameras.values()]) + rng.normal(0, 2, (count, *truth.shape[:2], 2))
    wrong = rng.random(xy.shape[:-1]) < 0.1
    way = rng.uniform(0, 2 * np.pi, wrong.shape)
    xy += (wrong * rng.uniform(30, 200, wrong.shape))[..., None] * np.stack([np.cos(way), np.sin(way)], -1)
    return Rig(cameras), Views(tuple(cameras), H36M, xy[:, :, None], np.full((*wrong.shape[:2], 1, 17), 0.9)), truth


def timed(run: Callable[[], object]) -> float:
    seconds = []
    for _ in range(5):
        start = process_time()
        run()
        seconds.append(process_time() - start)
    return float(np.median(seconds))


if __name__ == "__main__":
    main()
