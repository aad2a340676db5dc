"""The occlusion study: hide keypoints and body parts, and measure what that does to anybody's estimator."""
