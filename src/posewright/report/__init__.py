"""Reports: pages with the figures of scores and of diagnoses."""
