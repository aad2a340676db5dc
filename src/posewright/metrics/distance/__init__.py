"""By distance: PCK and its relatives, and who is measured against whom."""
