"""Multi-view geometry: cameras, projection, triangulation."""

from posewright.geometry.camera import Camera, triangulate

__all__ = ["Camera", "triangulate"]
