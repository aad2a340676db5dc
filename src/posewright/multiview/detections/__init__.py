"""2D keypoints of any tool's, a folder or a file a camera, read into `Views`."""

from posewright.multiview.detections.read import read_views

__all__ = ["read_views"]
