"""What answers say: effects with intervals, by keypoint, part and size."""
