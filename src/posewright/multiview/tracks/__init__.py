"""Points in files: .trc, .c3d, .csv and .npz."""

from posewright.multiview.tracks.kinds import SUFFIXES, form_of, read_points, write_points

__all__ = ["SUFFIXES", "form_of", "read_points", "write_points"]
