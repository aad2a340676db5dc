"""Codec: what turns people into the fields that a network learns, and a network's fields back into people."""

from __future__ import annotations

from typing import Any, Protocol

from posewright.skeleton import Skeleton
from posewright.warp import Size


class Codec(Protocol):
    """People to fields and back; see the law tests for what every codec keeps."""

    @property
    def skeleton(self) -> Skeleton: ...
    @property
    def size(self) -> Size: ...
    def encode(self, people: Any, /) -> Any: ...
    def decode(self, fields: Any, /) -> Any: ...
    def mirror(self, fields: Any, /) -> Any: ...


def is_whole(codec: Codec) -> bool:
    """Tell whether a codec's unit is a whole picture with everybody in it, as its attribute `whole` says.

    One that has no such attribute is of crops, a person each.
    """
    return bool(getattr(codec, "whole", False))
