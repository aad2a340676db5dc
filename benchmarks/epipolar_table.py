"""EpipolarPose's table 3.1, on real motion: how good are labels that 2D poses and geometry make?

    python benchmarks/epipolar_table.py CMU_MOCAP.npz H36M_CAMERAS.json CENTRES.npz [--table TABLE.json] [--out FILE]

885 poses of motion capture on a floor grid, before the four cameras of Human3.6M's subject 1; 2D is the exact image
plus noise, or what the lens makes of it where that is then ignored, as the thesis does. Extrinsics are known, or found
from the poses (pooled, or from each pose alone). PSS is by the centres of CENTRES (`centres_50`, `centres_100`). TABLE
holds another implementation's rows of the same protocol, printed beside ours. "All views, robust" goes beyond it, so
does "adjusted": all cameras and points of all poses are bundle adjusted from the pooled estimate on. --only takes the
beginnings of the ways' names, as in `--only adjusted "estimated, pooled"`.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from posewright.augment.epipolar import weighted
from posewright.geometry import Camera
from posewright.geometry.epipolar import essential, fundamental_ransac, motion
from posewright.geometry.triangulation import polynomial, vector_median
from posewright.metrics.threed.mpjpe import mpjpe
from posewright.metrics.threed.poses import Poses
from posewright.metrics.threed.pss import Centres, pss
from posewright.metrics.threed.sequences import over_sequences
from posewright.multiview.calibrate import place_cameras
from posewright.multiview.rig import Rig
from posewright.multiview.views import Views
from posewright.skeleton import H36M

NAMES = ("54138969", "55011271", "58860488", "60457274")
RING = ((0, 1), (1, 3), (3, 2), (2, 0))
GRID = (-800, -400, 0, 400, 800)
NUMBERS = ("MPJPE", "NMPJPE", "PMPJPE", "PSS@50", "PSS@100")


def stage(motion_file: str, cameras_file: str):
    """Return placed poses (N, 17, 3), their sequences and actions, and cameras with and without Human3.6M's lens."""
    with np.load(motion_file) as file:
        chosen = np.flatnonzero(file["split"] == 1)[::5]
        poses = file["poses"][chosen].astype(float)
        sequence = file["sequence_names"][file["sequence_id"][chosen]]
        action = file["action_names"][file["action_id"][chosen]]
    n = np.arange(len(poses))
    place = np.stack([np.take(GRID, n % 5), np.take(GRID, n // 5 % 5)], -1)
    poses[..., :2] += (place - poses[:, 0, :2])[:, None]
    told = json.loads(Path(cameras_file).read_text())
    inner, outer = told["intrinsics"], told["extrinsics"]["S1"]
    K, distortion = ({k: inner[k][what] for k in NAMES} for what in ("calibration_matrix", "distortion"))
    lens = [Camera(K[k], outer[k]["R"], np.ravel(outer[k]["t"]), distortion[k], "h36m") for k in NAMES]
    return poses, sequence, action, lens, [Camera(c.K, c.R, c.t) for c in lens]


def known_pair(cameras, xy, a, b):
    """Triangulate with known cameras, in the world."""
    P = np.stack([cameras[a].matrix, cameras[b].matrix])
    return polynomial(P, xy[[a, b]].reshape(2, -1, 2)).reshape(xy.shape[1], -1, 3)


def found_pair(cameras, xy, a, b, threshold):
    """Find the second camera from the first, and triangulate in the first's frame, in units of the baseline."""
    one, two = xy[a].reshape(-1, 2), xy[b].reshape(-1, 2)
    F, good = fundamental_ransac(one, two, threshold)
    K1, K2 = cameras[a].K, cameras[b].K
    rays = [(p[good] - K[:2, 2]) @ np.linalg.inv(K[:2, :2]).T for p, K in ((one, K1), (two, K2))]
    way = motion(essential(F, K1, K2), *rays)
    P = np.stack([K1 @ np.eye(3, 4), K2 @ np.column_stack([way.R, way.t])])
    return polynomial(P, np.stack([one, two])).reshape(xy.shape[1], -1, 3)


def found_alone(cameras, xy, a, b, threshold):
    """The same from each pose alone; where no matrix is found, the pose is NaN."""
    rows = []
    for n in range(xy.shape[1]):
        try:
            rows.append(found_pair(cameras, xy[:, n : n + 1], a, b, threshold)[0])
        except ValueError:
            rows.append(np.full((xy.shape[2], 3), np.nan))
    return np.array(rows)


def scored(found, truth, about, centres):
    """Return the numbers of poses in one camera's frame."""
    predicted, true = Poses(found, H36M, *about), Poses(truth, H36M, *about)
    both = mpjpe(predicted, true), pss(predicted, true, centres)
    numbers = {name: value for score in both for name, value in score.items() if name in NUMBERS}
    ends = over_sequences(both[0], 2_000)
    return numbers, {name: ends[name] for name in ("MPJPE", "NMPJPE", "PMPJPE")}


def mean(rows):
    """Average numbers and ends of intervals with equal weight."""
    numbers = {name: float(np.mean([row[0][name] for row in rows])) for name in NUMBERS}
    ends = {name: [float(np.mean([row[1][name][end] for row in rows])) for end in (0, 1)] for name in rows[0][1]}
    return numbers, ends


def adjusted_cameras(cameras, xy):
    """Place all cameras by the poses (4, N, 17, 2) alone, cameras and points adjusted together; only K is taken."""
    rig = Rig({name: Camera(c.K, np.eye(3), np.zeros(3)) for name, c in zip(NAMES, cameras, strict=True)})
    views = Views(NAMES, H36M, xy[:, :, None], np.ones((*xy.shape[:2], 1, xy.shape[2])))
    return list(place_cameras(rig, views).rig.cameras.values())


def in_each(cameras, found, frames, about, centres):
    """Score the same poses in the frames of all cameras."""
    return mean([scored(c.view(found), f, about, centres) for c, f in zip(cameras, frames, strict=True)])


def by_pairs(cameras, xy, frames, about, centres):
    """Return the pairs' points, and their numbers, each pair in its first camera's frame."""
    pairs = [known_pair(cameras, xy, a, b) for a, b in RING]
    return pairs, mean([scored(cameras[a].view(found), frames[a], about, centres)
                        for (a, _), found in zip(RING, pairs, strict=True)])  # fmt: skip


def ways(cameras, poses, xy, noise, about, centres, only):
    """Yield the name and the numbers of each way to make labels of 2D (4, N, 17, 2), of those that are wanted."""

    def wanted(name):
        return any(name.startswith(start) for start in only)

    frames = [camera.view(poses) for camera in cameras]
    if wanted("known"):
        pairs, row = by_pairs(cameras, xy, frames, about, centres)
        yield "known, one pair", row
        for name, count in (("known, median of 3 pairs", 3), ("known, median of 4 ring pairs", 4)):
            yield name, in_each(cameras, vector_median(np.stack(pairs[:count], -2))[0], frames, about, centres)
        everything = weighted(cameras, xy.reshape(4, -1, 2))[0].reshape(poses.shape)
        yield "known, all views, robust", in_each(cameras, everything, frames, about, centres)
    for name, way in (("estimated, pooled", found_pair), ("estimated, one pose", found_alone)):
        if wanted(name):
            found = [way(cameras, xy, a, b, 3 + 3 * noise) for a, b in RING]
            yield name, mean([scored(f, frames[a], about, centres) for (a, _), f in zip(RING, found, strict=True)])
    if wanted("adjusted"):
        placed = adjusted_cameras(cameras, xy)
        yield "adjusted, one pair", by_pairs(placed, xy, frames, about, centres)[1]
        everything = weighted(placed, xy.reshape(4, -1, 2))[0].reshape(poses.shape)
        yield "adjusted, all views, robust", in_each(placed, everything, frames, about, centres)


def conditions(poses, lens, cameras):
    """Yield the name of each condition, its noise in px, and the 2D (4, N, 17, 2)."""
    noise = np.random.default_rng(2026).standard_normal((len(poses), 4, 17, 2)).transpose(1, 0, 2, 3)
    g = np.random.default_rng(3026)
    moved, by = g.random((len(poses), 4, 17)), g.uniform(-100, 100, (len(poses), 4, 17, 2))
    wild = np.where(moved[..., None] < 0.05, by, 0.0).transpose(1, 0, 2, 3)
    exact = np.stack([camera.project(poses) for camera in cameras])
    yield "distorted, ignored", 0, np.stack([camera.project(poses) for camera in lens])
    for level in (0, 2, 5, 10):
        yield f"pinhole, {level} px", level, exact + level * noise
    yield "pinhole, 2 px, 5 % outliers", 2, exact + 2 * noise + wild


def theirs(path):
    """Return another implementation's numbers by condition and way."""
    ways = {("known", "pair", "polynomial"): "known, one pair",
            ("known", "vector median of 3 consecutive pairs", "polynomial"): "known, median of 3 pairs",
            ("known", "vector median of 4 ring pairs", "polynomial"): "known, median of 4 ring pairs",
            ("estimated, all poses pooled", "pair", "RANSAC + 8-point refit, polynomial"): "estimated, pooled",
            ("estimated, each pose alone", "pair", "RANSAC + 8-point refit, polynomial"): "estimated, one pose",
    }  # fmt: skip
    found = {}
    for row in json.loads(Path(path).read_text())["rows"]:
        way = ways.get((row["extrinsics"], row["views"], row["method"]))
        level = f"{row['noise_px']:g} px" + (", 5 % outliers" if row["outlier_fraction"] else "")
        name = f"pinhole, {level}" if row["labels"] == "pinhole" else "distorted, ignored"
        if way and (row["labels"] == "pinhole" or not row["noise_px"]):
            found[name, way] = row
    return found


def spoken(numbers, percent=1.0):
    return "  ".join(f"{numbers[k] * (percent if 'PSS' in k else 1):7.2f}" if numbers.get(k) is not None else "    n/a"
                     for k in NUMBERS)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("motion", "cameras", "centres"):
        parser.add_argument(name)
    parser.add_argument("--table")
    parser.add_argument("--out")
    parser.add_argument("--only", nargs="*", default=["known", "estimated", "adjusted"])
    told = parser.parse_args()
    poses, sequence, action, lens, cameras = stage(told.motion, told.cameras)
    with np.load(told.centres) as file:
        centres = Centres(H36M, {k: file[f"input_centres_{k}" if f"input_centres_{k}" in file else f"centres_{k}"]
                                 for k in (50, 100)})  # fmt: skip
    found, peers = {}, theirs(told.table) if told.table else {}
    print(" " * 60 + "  ".join(f"{name:>7}" for name in NUMBERS))
    for name, level, xy in conditions(poses, lens, cameras):
        for way, (numbers, ends) in ways(cameras, poses, xy, level, (sequence, action), centres, told.only):
            told_of = {k: v for k, v in numbers.items() if k != "MPJPE" or way.startswith("known")}
            found[f"{name}; {way}"] = {"numbers": told_of, "intervals": ends}
            print(f"{name:28} {way:30} {spoken(told_of, 100.0)}", flush=True)
            if (name, way) in peers:
                print(f"{'':45}{'the other':14} {spoken(peers[name, way])}")
    if told.out:
        Path(told.out).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
