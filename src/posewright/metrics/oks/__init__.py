"""By object keypoint similarity: AP and AR, by state and crowding, and the suppression of doubles."""
