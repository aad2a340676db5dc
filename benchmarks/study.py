"""Time of a whole occlusion study with the embedded network, and the share of it that is not the network's.

    python benchmarks/study.py [--people N] [--threads N] [--attacks N] [--remembered]

The study is that of `posewright occlude` on the synthetic world: every keypoint and every body part with 3 fills,
6 radii with 3 fills, 200 people, intervals and average precision included, and nothing kept on disk; drawing the
world does not count. All is measured in one process: the time by the clock, and the CPU time of the whole process,
all its threads, of which the network's calls are the one part and everything else is the other. The bar is 3 minutes
on two cores, the aim 10 % outside the network with one thread, 15 % with two. On a machine that does other work as well
the clock says little. --remembered asks the network about people as they are alone; under an attack it says of a crop
what it said of the most similar one, three times in ten a little beside it, so that everything else can be measured
in a tenth of the time. Numbers are told by their hash, to be compared with those of another version.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter, process_time

import numpy as np

from posewright import load
from posewright.cli.occlude import WORLD, WORLD_SEED, scenes_of
from posewright.robustness import Study, standard_attacks, study

BAR, AIM = 180.0, {1: 0.10, 2: 0.15}


class Clock:
    """Add up the time of what it wraps, by the clock and of the CPU."""

    def __init__(self, run):
        self.run, self.wall, self.cpu = run, 0.0, 0.0

    def __call__(self, pixels):
        wall, cpu = perf_counter(), process_time()
        try:
            return self.run(pixels)
        finally:
            self.wall += perf_counter() - wall
            self.cpu += process_time() - cpu


class Remembered:
    """Ask a network about the first so many crops, and answer of any other what it said of the most similar one."""

    def __init__(self, run, people: int):
        self.run, self.people = run, people
        self.shown, self.said = [], []

    def __call__(self, pixels):
        small = pixels[:, ::8, ::8].astype(np.int16).reshape(len(pixels), -1)
        if sum(map(len, self.shown)) < self.people:
            found = self.run(pixels)
            self.shown.append(small)
            self.said.append([[None if array is None else np.array(array) for array in fields] for fields in found])
            self.kinds = [type(fields) for fields in found]
            return found
        if len(self.said) > 1:
            joined = [[None if some[0] is None else np.concatenate(some) for some in zip(*stage, strict=True)]
                      for stage in zip(*self.said, strict=True)]  # fmt: skip
            self.shown, self.said = [np.concatenate(self.shown)], [joined]
        at = [int(np.abs(self.shown[0] - row).sum(1).argmin()) for row in small]
        rng = np.random.default_rng(int(small.sum()) % 2**31)
        odd = np.flatnonzero(rng.random(len(at)) < 0.3)
        answers = [[None if array is None else array[at] for array in stage] for stage in self.said[0]]
        for array in (array for stage in answers for array in stage if array is not None and array.ndim > 2):
            array[odd] = np.roll(array[odd], int(rng.integers(1, 6)), axis=-1)
        return [kind(*arrays) for kind, arrays in zip(self.kinds, answers, strict=True)]


def main(people: int, threads: int | None, attacks: int | None, remembered: bool) -> Sequence[float]:
    estimator = load("default", threads=threads).estimator
    run = estimator.network.run
    clock = Clock(Remembered(run, people) if remembered else run)
    estimator = replace(estimator, network=replace(estimator.network, run=clock))
    skeleton = estimator.codec.skeleton
    scenes = scenes_of(WORLD, "", people, WORLD_SEED, skeleton)
    listed = standard_attacks(skeleton)[:attacks]
    wall, cpu = perf_counter(), process_time()
    found: Study = study(estimator, scenes, listed, most=people)
    wall, cpu = perf_counter() - wall, process_time() - cpu
    said = found.protocol
    print(f"{len(listed)} attacks on {said['people']} people in {said['pictures']} pictures; {said['backend']}, "
          f"{estimator.protocol()['threads']} threads, {said['draws']} draws, {said['draws_of_AP']} of AP")  # fmt: skip
    print(f"by the clock {wall:7.1f} s, of which outside the network {wall - clock.wall:6.1f} s, "
          f"{1 - clock.wall / wall:.1%}")  # fmt: skip
    print(f"of the CPU   {cpu:7.1f} s, of which outside the network {cpu - clock.cpu:6.1f} s, "
          f"{1 - clock.cpu / cpu:.1%}")  # fmt: skip
    numbers = json.dumps([found.clean, found.changes, found.influence, found.AP, found.pooled]).encode()
    print(f"SHA-256 of all numbers {hashlib.sha256(numbers).hexdigest()[:16]}")
    if not remembered:
        print(f"bar: {BAR:.0f} s on two cores; aim outside: {AIM[1]:.0%} with one thread, {AIM[2]:.0%} with two")
    return wall, cpu


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=200, help="how many people")
    parser.add_argument("--threads", type=int, default=None, help="of the network; without it as many as are free")
    parser.add_argument("--attacks", type=int, default=None, help="only the first so many")
    parser.add_argument("--remembered", action="store_true", help="do not ask the network about attacked people")
    arguments = parser.parse_args()
    main(arguments.people, arguments.threads, arguments.attacks, arguments.remembered)
