"""Occluders: Region x Fill. An augmentation draws one, an attack sets one, a worst case searches for one."""

from posewright.occlusion.augmentation import Augmentation, described
from posewright.occlusion.occluder import Fill, Occluder, Region
from posewright.occlusion.occluder import hide as hide

__all__ = ["Augmentation", "Fill", "Occluder", "Region", "described", "hide"]
