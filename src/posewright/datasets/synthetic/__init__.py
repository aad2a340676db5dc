"""The synthetic world: articulated bodies before true cameras, with exact truth."""

from posewright.datasets.synthetic.alone import thing
from posewright.datasets.synthetic.body import WORLD
from posewright.datasets.synthetic.draw import instant, scene, scenes, world

__all__ = ["WORLD", "instant", "scene", "scenes", "thing", "world"]
