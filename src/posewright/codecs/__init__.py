"""Codecs: people to fields and back, one file a representation."""
