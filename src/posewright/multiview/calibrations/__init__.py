"""Calibrations of any tool's, read into a `Rig` of millimetres and written again."""

from posewright.multiview.calibrations.kinds import KINDS, READ_ONLY, read_intrinsics, read_rig, write_rig

__all__ = ["KINDS", "READ_ONLY", "read_intrinsics", "read_rig", "write_rig"]
