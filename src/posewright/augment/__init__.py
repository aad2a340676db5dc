"""What training changes about a picture: views, boxes as a detector would see them, poses made wrong."""

from posewright.augment.jitter import Aim, Jitter

__all__ = ["Aim", "Jitter"]
