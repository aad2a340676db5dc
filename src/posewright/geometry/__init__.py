"""Multi-view geometry: cameras, what two views say about each other, triangulation."""

from posewright.geometry.camera import Camera
from posewright.geometry.triangulation import triangulate

__all__ = ["Camera", "triangulate"]
