"""The synthetic world: articulated bodies before true cameras, with exact truth."""

from posewright.datasets.synthetic.alone import thing
from posewright.datasets.synthetic.body import WORLD
from posewright.datasets.synthetic.capture import filmed, ring, sequence, walk
from posewright.datasets.synthetic.draw import instant, scene, scenes, world

__all__ = ["WORLD", "filmed", "instant", "ring", "scene", "scenes", "sequence", "thing", "walk", "world"]
