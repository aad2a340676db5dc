"""Why predictions fail: kinds of error, and what repairing each would give."""
