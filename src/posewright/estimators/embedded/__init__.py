"""Embedded networks: those that the package brings with it."""

from __future__ import annotations

from pathlib import Path

EMBEDDED = ("pose", "person", "default")
"""Their names: "pose" finds keypoints and "person" boxes; "default" is the first edition of "pose", kept under its name
so that what was told of it can be repeated."""


def embedded_file(name: str) -> Path:
    """Return where a network of `EMBEDDED` lies in the installed package."""
    return Path(__file__).parent / f"{name}.onnx"
