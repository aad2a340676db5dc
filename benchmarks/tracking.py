"""How often do people exchange their ids, and what does smoothing cost: three people who cross, by recorded motion.

    python benchmarks/tracking.py ../shared/data/cmu_mocap.npz

Three people walk through each other's way before a camera that stands still, posed by recordings; their true keypoints
get noise and are lost where more than half are hidden, as an estimator's would be. Counted are identity switches (a
true person's id differs from the last that they had) and lost people; of the One Euro filter jitter (the mean change
of velocity, px a frame^2), error against the true places, and delay (by how much later the true places would have to
be for the smoothed ones to differ least from them in the mean square, ms), for several settings.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np

from posewright.datasets.synthetic import sequence
from posewright.estimators.one_euro import OneEuro
from posewright.estimators.tracking import Tracker
from posewright.scene import Floats, Person
from posewright.skeleton import H36M

RATE, FRAMES, NOISE = 25.0, 125, 4.0
SIZE, FOCAL, AWAY = (640, 480), 600.0, 5200.0


def crossing(file: str, seed: int) -> list[list[Person]]:
    """Return the true people of each frame: three, each of a motion of their own, on lines that cross."""
    rng = np.random.default_rng(seed)
    time = np.linspace(-1, 1, FRAMES)
    frames: list[list[Person]] = [[] for _ in time]
    for one in range(3):
        while True:
            try:
                motion, _ = sequence(file, int(rng.integers(1000)), FRAMES)
                break
            except ValueError:
                continue
        way = (1, -1, 1)[one] * rng.uniform(900, 1500) * time + rng.uniform(-200, 200)
        depth = AWAY + rng.uniform(-900, 900) + 0 * time
        angle = rng.uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        at = (motion - motion[:, :1] * [1, 1, 0]) @ turn.T + np.stack([way, depth, 0 * way], -1)[:, None]
        xy = FOCAL * np.stack([at[..., 0], 1000 - at[..., 2]], -1) / at[..., 1:2] + np.array(SIZE) / 2
        for f, keypoints in enumerate(xy):
            frames[f].append(Person(keypoints, id=one, depths=np.full(17, depth[f])))
    return frames


def estimated(people: list[Person], rng: np.random.Generator, noise: float) -> list[Person]:
    """Return what an estimator may see: noise, and nobody of whom half lies behind somebody nearer; id tells who."""
    found = []
    for person in people:
        before = [p for p in people if p.depths[0] < person.depths[0]]
        hidden = np.zeros(len(person), bool)
        for other in before:
            low, high = other.keypoints.min(0), other.keypoints.max(0)
            hidden |= ((person.keypoints > low) & (person.keypoints < high)).all(-1)
        if hidden.mean() <= 0.5:
            found.append(replace(person, keypoints=person.keypoints + rng.normal(0, noise, (len(person), 2))))
    return [found[n] for n in rng.permutation(len(found))]


def switches(clip: list[list[Person]], seed: int, memory: float, noise: float = NOISE) -> tuple[int, int]:
    """Count identity switches of a clip, and how many times somebody was out of sight."""
    rng, tracker, known = np.random.default_rng(seed), Tracker(H36M, RATE, memory), {}
    switched = unseen = 0
    for people in clip:
        found = estimated(people, rng, noise)
        unseen += len(people) - len(found)
        for true, person in zip(found, tracker([replace(p, id=None) for p in found]), strict=True):
            switched += known.get(true.id, person.id) != person.id
            known[true.id] = person.id
    return switched, unseen


def smoothness(clip: list[list[Person]], seed: int, least: float, beta: float) -> tuple[float, float, float]:
    """Return jitter (px a frame^2), mean error (px) and delay (ms) of smoothed people."""
    rng, smooth = np.random.default_rng(seed), OneEuro(RATE, least, beta)
    places, errors = [], []
    for people in clip:
        noisy = [replace(p, keypoints=p.keypoints + rng.normal(0, NOISE, p.keypoints.shape)) for p in people]
        found = smooth(noisy) if least else noisy
        places.append([p.keypoints for p in found])
        errors.append([np.linalg.norm(p.keypoints - t.keypoints, axis=-1) for p, t in zip(found, people, strict=True)])
    true = np.array([[person.keypoints for person in people] for people in clip])
    jitter = np.linalg.norm(np.diff(places, 2, axis=0), axis=-1).mean()
    return float(jitter), float(np.mean(errors)), delay(np.array(places), true)


def delay(places: Floats, true: Floats) -> float:
    """Return how many ms (frames, ...) places come after true ones, by the least squares over ways between frames."""
    frames = np.arange(0, 8, 0.1)
    at = np.arange(8, len(true))
    missed = []
    for late in frames:
        whole = int(late)
        before = true[at - whole] * (1 - late + whole) + true[at - whole - 1] * (late - whole)
        missed.append(float(((places[at] - before) ** 2).mean()))
    return 1000 / RATE * float(frames[int(np.argmin(missed))])


def main(file: str, clips: int = 40) -> None:
    """Print both tables."""
    made = [crossing(file, seed) for seed in range(clips)]
    print(f"{clips} clips of {FRAMES} frames, three people each, {NOISE:g} px of noise")
    for memory in (0.04, 0.4, 1.0, 2.0):
        found = np.array([switches(clip, seed, memory) for seed, clip in enumerate(made)])
        switched, unseen = found.sum(0)
        print(f"memory {memory:4.2f} s: {switched:4d} switches, {unseen} times somebody was out of sight")
    for least, beta in ((0.0, 0.0), (1.0, 0.0), (1.0, 4.0), (1.5, 4.0), (3.0, 4.0), (1.5, 10.0)):
        found = np.array([smoothness(clip, seed, least, beta) for seed, clip in enumerate(made[:10])])
        jitter, error, late = found.mean(0)
        print(f"One Euro least {least:g} Hz, beta {beta:4.1f}: jitter {jitter:5.2f} px/frame^2, error {error:.2f} px, "
              f"{late:3.0f} ms late")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1])
