"""Losses, a file a family: (stages, target) -> scalar tensor."""
