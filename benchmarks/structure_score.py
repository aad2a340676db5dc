"""How often do PSS and PMPJPE rank two estimators differently? EpipolarPose's figure 3.4 in kind, by made-up ones.

    python benchmarks/structure_score.py CMU_MOCAP.npz [--out FIGURE.png]

Forty estimators answer 885 true poses of motion capture: each moves keypoints by normal noise, confuses left and right
of some poses' legs or arms, and turns some forearms and shins, in proportions of its own. PSS is by 50 centres found in
the training split. Estimators are made up, so this says what the two numbers see, not how networks err.
"""

import argparse
from itertools import combinations

import numpy as np
from scipy.spatial.transform import Rotation
from scipy.stats import kendalltau

from posewright.metrics.threed.mpjpe import mpjpe
from posewright.metrics.threed.poses import Poses
from posewright.metrics.threed.pss import find_centres, pss
from posewright.skeleton import H36M

ESTIMATORS = 40
ENDS = (("knee", "ankle"), ("elbow", "wrist"))


def read(path, split, every):
    with np.load(path) as file:
        chosen = np.flatnonzero(file["split"] == split)[::every]
        names = file["sequence_names"][file["sequence_id"][chosen]]
        return Poses(file["poses"][chosen].astype(float), H36M, names, file["action_names"][file["action_id"][chosen]])


def erring(poses, rng):
    """Make one estimator's answers."""
    xyz = poses.xyz.copy()
    swapped, turned, noise = rng.uniform(0, 0.25), rng.uniform(0, 0.5), rng.uniform(5, 45)
    for joints in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
        left, right = ([H36M.index(f"{side}_{joint}") for joint in joints] for side in ("left", "right"))
        who = np.flatnonzero(rng.random(len(xyz)) < swapped)
        xyz[np.ix_(who, left)], xyz[np.ix_(who, right)] = xyz[np.ix_(who, right)], xyz[np.ix_(who, left)].copy()
    for middle, end in ENDS:
        for side in ("left", "right"):
            a, b = H36M.index(f"{side}_{middle}"), H36M.index(f"{side}_{end}")
            who = np.flatnonzero(rng.random(len(xyz)) < turned)
            turns = Rotation.from_rotvec(rng.normal(0, 0.6, (len(who), 3)))
            xyz[who, b] = xyz[who, a] + turns.apply(xyz[who, b] - xyz[who, a])
    return Poses(xyz + rng.normal(0, noise, xyz.shape), H36M, poses.sequence, poses.action)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("motion")
    parser.add_argument("--out")
    told = parser.parse_args()
    truth, rng = read(told.motion, 1, 5), np.random.default_rng(0)
    centres = find_centres(read(told.motion, 0, 2), (50,), made_of="training split")
    found = [erring(truth, rng) for _ in range(ESTIMATORS)]
    distance = np.array([mpjpe(one, truth)["PMPJPE"] for one in found])
    structure = np.array([pss(one, truth, centres)["PSS@50"] for one in found])
    pairs = list(combinations(range(ESTIMATORS), 2))
    differ = [(distance[a] < distance[b]) != (structure[a] > structure[b]) for a, b in pairs]
    print(f"{np.mean(differ):.3f} of {len(pairs)} pairs are ranked differently; Kendall's tau "
          f"{kendalltau(-distance, structure).statistic:.3f}")  # fmt: skip
    if told.out:
        draw(told.out, distance, 100 * structure)


def draw(path, distance, structure):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.scatter(distance, structure, color="#0072b2", s=18)
    axes.set_xlabel("PMPJPE, mm")
    axes.set_ylabel("PSS@50, %")
    axes.set_title("Forty made-up estimators on real motion", loc="left")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
