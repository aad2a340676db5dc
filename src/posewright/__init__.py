"""posewright: human pose estimation, and how it breaks under occlusion."""
