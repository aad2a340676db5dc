"""Time of resampling COCO's average precision, beside re-scoring repeated images, on a problem of val2017's size.

    python benchmarks/bootstrap.py [--draws N] [--plain N]

2,346 images, 11,004 people and 96,000 predictions are made up from a seed; some 45,000 of them are among the
first 20 of their image and are matched, once. "Plain" repeats the images' matches as each resample says and runs
COCO's own accumulation (`matching.summary`) on them; "ours" is `resampling.again_of`. The two take turns in one
process on the same weights, must agree to 1e-12, and are compared by CPU time a resample, ours with its
preparation. Matching anew would cost the plain way more still.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from time import perf_counter, process_time

import numpy as np

from posewright.metrics.oks.compared import matches
from posewright.metrics.oks.matching import Matches, summary
from posewright.metrics.oks.similarity import Predictions, Truths
from posewright.metrics.trust.resampling import again_of
from posewright.skeleton import COCO

IMAGES, PEOPLE, FOUND = 2346, 11_004, 96_000
LABELLED, CROWDS = 0.58, 0.02
"""Shares of the people: in val2017 6,352 of 11,004 have a keypoint, about 2 % are crowds."""
SPREAD = 0.03
"""How far predicted keypoints are off, at the median, in heights of the person."""


def problem(seed: int = 0) -> Matches:
    """Make up people and predictions, and match them."""
    rng = np.random.default_rng(seed)
    image = np.sort(rng.integers(IMAGES, size=PEOPLE))
    height = np.exp(rng.normal(4.6, 0.8, PEOPLE))
    xy = rng.uniform(0, 500, (PEOPLE, 1, 2)) + rng.uniform(-0.5, 0.5, (PEOPLE, 17, 2)) * height[:, None, None]
    crowd = rng.random(PEOPLE) < CROWDS
    labelled = (rng.random((PEOPLE, 17)) < 0.7) & ((rng.random(PEOPLE) < LABELLED) & ~crowd)[:, None]
    box = np.concatenate([xy.min(1), xy.max(1)], axis=1)
    area = (box[:, 2:] - box[:, :2]).prod(1) * rng.uniform(0.3, 0.7, PEOPLE)
    truths = Truths(image, np.where(labelled[..., None], xy, np.nan), labelled, area, box, crowd,
                    crowd | ~labelled.any(1), crowd)  # fmt: skip
    who = np.sort(rng.integers(PEOPLE, size=FOUND))
    away = np.where(rng.random(FOUND) < 0.3, 0.5, SPREAD * rng.lognormal(0, 0.8, FOUND))
    found = xy[who] + rng.normal(0, 1, (FOUND, 17, 2)) * (away * height[who])[:, None, None]
    extent = (found.max(1) - found.min(1)).prod(1)
    score = np.exp(-8 * away) * rng.beta(20, 5, FOUND)
    return matches(truths, Predictions(image[who], found, score, extent), np.array(COCO.sigmas), IMAGES)


def repeated(found: Matches, weights: np.ndarray) -> Matches:
    """Repeat every image as often as its whole weight says, copies of a prediction side by side."""
    times = weights.astype(int)
    copies = np.repeat(np.arange(len(found.image)), times[found.image])
    return Matches(
        found.image[copies], found.score[copies], found.person[..., copies], found.ignored[..., copies],
        np.repeat(found.counted, times, axis=0),
    )  # fmt: skip


def main(draws: int, plain: int) -> None:
    found = problem()
    print(f"{IMAGES} images, {found.counted[:, 0].sum()} people, {len(found.score)} predictions, {draws} resamples")
    print("AP {AP:.3f}, AP50 {AP50:.3f}, AP75 {AP75:.3f}, AR {AR:.3f}".format(**summary(found)))
    weights = np.random.default_rng(1).multinomial(IMAGES, np.full(IMAGES, 1 / IMAGES), size=draws).astype(float)
    again, rounds = again_of(found), min(5, plain)
    ours = theirs = wall = worst = 0.0
    for part in np.array_split(np.arange(draws), rounds):
        some = part[: -(-plain // rounds)]
        start = process_time()
        numbers = [list(summary(repeated(found, weights[b])).values()) for b in some]
        theirs += (process_time() - start) / (len(some) * rounds)
        start, clock = process_time(), perf_counter()
        values = np.array(list(again(weights[part]).values())).T
        ours, wall = ours + process_time() - start, wall + perf_counter() - clock
        worst = max(worst, float(np.abs(values[: len(some)] - numbers).max()))
    if worst > 1e-12:
        raise SystemExit(f"the two ways differ by {worst:g}")
    ours /= draws
    print(f"plain  {theirs * 1e3:9.3f} ms a resample, {theirs * draws:9.1f} s of CPU for all (from {plain} of them)")
    print(f"ours   {ours * 1e3:9.3f} ms a resample, {ours * draws:9.1f} s of CPU for all, {wall:.1f} s by the clock")
    print(f"ratio  {theirs / ours:9.1f}   largest difference {worst:.1e}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=10_000, help="resamples")
    parser.add_argument("--plain", type=int, default=20, help="of these, how many are re-scored the plain way")
    arguments = parser.parse_args()
    main(arguments.draws, arguments.plain)
