"""How right poses in space are: distances, shares within a distance, and whether the pose is the same one at all."""
