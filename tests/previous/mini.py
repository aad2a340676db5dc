"""The recipe that the stored checkpoint and export are of."""

from dataclasses import replace

from posewright.codecs.distribution import Distribution
from posewright.datasets.synthetic import world
from posewright.recipes import default
from posewright.skeleton import LSP


def read(_folder, split):
    return world({"train": 4, "test": 2}[split], seed=len(split), size=(64, 64), skeleton=LSP, people=(1, 1))


def network():
    from posewright.models.compact import Compact

    return Compact(len(LSP), widths=(4, 4, 4, 4), depths=(1, 1, 1))


mini = replace(default, name="mini", read=read, network=network, codec=Distribution(LSP, (64, 64)),
               phases=(replace(default.phases[0], epochs=1, warmup=0, to=None),), batch=4)  # fmt: skip
