"""Pages of a study, with their figures and words."""
