"""Points in files: .trc, .c3d, .csv and .npz."""

from posewright.multiview.tracks.kinds import SUFFIXES, read_points, write_points

__all__ = ["SUFFIXES", "read_points", "write_points"]
