"""Where people are, as boxes and as silhouettes, whatever their keypoints are."""
