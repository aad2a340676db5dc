"""Time of a whole occlusion study with the embedded network, and the share of it that is not the network's.

    python benchmarks/study.py [--people N] [--threads N]

The study is that of `posewright occlude` on the synthetic world: every keypoint and every body part with 3 fills,
6 radii with 3 fills, 200 people, intervals and average precision included, and nothing kept on disk; drawing the
world does not count. All is measured in one process: the time by the clock, and the CPU time of the whole process,
all its threads, of which the network's calls are the one part and everything else is the other. The bar is 3 minutes
on two cores, the aim 15 % outside the network. On a machine that does other work as well the clock says little.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter, process_time

from posewright import load
from posewright.cli.occlude import WORLD, WORLD_SEED, scenes_of
from posewright.robustness import Study, standard_attacks, study

BAR, AIM = 180.0, 0.15


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


def main(people: int, threads: int | None) -> Sequence[float]:
    estimator = load("default", threads=threads).estimator
    clock = Clock(estimator.network.run)
    estimator = replace(estimator, network=replace(estimator.network, run=clock))
    skeleton = estimator.codec.skeleton
    scenes = scenes_of(WORLD, "", people, WORLD_SEED, skeleton)
    listed = standard_attacks(skeleton)
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
    print(f"bar: {BAR:.0f} s on two cores; aim: {AIM:.0%} outside")
    return wall, cpu


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=200, help="how many people")
    parser.add_argument("--threads", type=int, default=None, help="of the network; without it as many as are free")
    arguments = parser.parse_args()
    main(arguments.people, arguments.threads)
