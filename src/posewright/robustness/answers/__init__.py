"""What estimators answer: asked here or read from a foreign tool's files, and kept on disk."""
