"""posewright: human pose estimation, and how it breaks under occlusion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from posewright.estimators.top_down import Estimator, TopDown
    from posewright.verbs.load import load

__all__ = ["Estimator", "TopDown", "load"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for, so that `import posewright` costs nothing."""
    if name in __all__:
        from posewright.verbs import load as named

        return getattr(named, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
