"""Occluders: Region x Fill. An augmentation samples one, an attack sets one, a worst case searches for one."""

from posewright.occlusion.occluder import Fill, Occluder, Region
from posewright.occlusion.occluder import hide as hide

__all__ = ["Fill", "Occluder", "Region", "hide"]
