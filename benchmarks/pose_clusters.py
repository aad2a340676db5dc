"""The thesis's figure 2.2 on CrowdPose: what poses there are, by k-means under the OKS.

    python benchmarks/pose_clusters.py crowdpose_val.json clusters.png

People with all 14 keypoints, their centre taken to 0 and their size, the root of 0.53 of the box's area, to 1. A person
belongs to the centre with which the OKS is highest; a centre is the mean of its people.
"""

from __future__ import annotations

import sys

import numpy as np
from matplotlib.figure import Figure

from posewright.codecs.bottom_up.affinity_fields import limb_places
from posewright.datasets.truth import read_truth
from posewright.metrics.oks.similarity import oks_sigmas
from posewright.scene import boxed

CLUSTERS, ROUNDS, STARTS = 12, 50, 5


def similarity(poses: np.ndarray, centres: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """Return the OKS (N, C) of poses (N, K, 2) and centres (C, K, 2) of size 1."""
    away = ((poses[:, None] - centres) ** 2).sum(-1)
    return np.asarray(np.exp(-away / (2 * (2 * sigmas) ** 2)).mean(-1))


def clustered(poses: np.ndarray, sigmas: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return centres (C, K, 2), whose each pose is (N,), and the mean OKS; the first centres are drawn far apart."""
    rng = np.random.default_rng(seed)
    centres = poses[rng.integers(len(poses))][None]
    while len(centres) < CLUSTERS:
        apart = 1 - similarity(poses, centres, sigmas).max(1)
        centres = np.concatenate([centres, poses[rng.choice(len(poses), p=apart / apart.sum())][None]])
    for _ in range(ROUNDS):
        near = similarity(poses, centres, sigmas)
        whose = near.argmax(1)
        moved = [poses[whose == c].mean(0) if (whose == c).any() else centres[c] for c in range(CLUSTERS)]
        if np.allclose(moved, centres):
            break
        centres = np.array(moved)
    return centres, whose, float(near.max(1).mean())


def main(file: str, out: str) -> None:
    scenes = read_truth(file)
    skeleton = scenes[0].skeleton
    people = [person for scene in scenes for person in scene.people if person.labelled.all() and not person.crowd]
    poses = []
    for person in people:
        box = boxed(person)
        poses.append((person.keypoints - person.keypoints.mean(0)) / np.sqrt(0.53 * (box[2:] - box[:2]).prod()))
    sigmas = np.asarray(oks_sigmas(skeleton)[0])
    centres, whose, mean = max((clustered(np.array(poses), sigmas, s) for s in range(STARTS)), key=lambda one: one[2])
    count = np.bincount(whose, minlength=CLUSTERS)
    figure = Figure((12, 7))
    for place, c in enumerate(np.argsort(-count)):
        axes = figure.add_subplot(2, CLUSTERS // 2, place + 1)
        for a, b in limb_places(skeleton):
            side = skeleton.keypoints[b] if "left" in skeleton.keypoints[b] + skeleton.keypoints[a] else ""
            axes.plot(*centres[c][[a, b]].T, color="tab:blue" if side else "tab:orange", linewidth=3)
        axes.set(xlim=(-1.6, 1.6), ylim=(1.8, -1.8), aspect="equal", xticks=[], yticks=[])
        axes.set_title(f"{100 * count[c] / len(people):.0f} %")
    figure.savefig(out, dpi=80)
    told = ", ".join(f"{100 * share / len(people):.1f}" for share in np.sort(count)[::-1])
    print(f"{len(people)} people, {CLUSTERS} clusters, mean OKS with the own centre {mean:.3f}; shares in %: {told}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
