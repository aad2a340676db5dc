"""posewright: human pose estimation, and how it breaks under occlusion."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from posewright import moved

if TYPE_CHECKING:
    from posewright.datasets import read
    from posewright.estimators.bottom_up import BottomUp
    from posewright.estimators.estimator import Estimator
    from posewright.estimators.top_down import TopDown
    from posewright.geometry import Camera
    from posewright.occlusion import Occluder
    from posewright.recipes import Recipe
    from posewright.report.drawing import draw
    from posewright.robustness import study
    from posewright.scene import Crop, Person, Scene
    from posewright.skeleton import Skeleton
    from posewright.verbs.diagnose import diagnose
    from posewright.verbs.evaluate import evaluate
    from posewright.verbs.load import load
    from posewright.verbs.predict import predict
    from posewright.verbs.score import score
    from posewright.warp import Warp

HOMES = {
    "load": "verbs.load",
    "predict": "verbs.predict",
    "score": "verbs.score",
    "diagnose": "verbs.diagnose",
    "evaluate": "verbs.evaluate",
    "study": "robustness",
    "draw": "report.drawing",
    "read": "datasets",
    "Person": "scene",
    "Scene": "scene",
    "Crop": "scene",
    "Skeleton": "skeleton",
    "Camera": "geometry",
    "Warp": "warp",
    "Occluder": "occlusion",
    "Recipe": "recipes",
    "Estimator": "estimators.estimator",
    "TopDown": "estimators.top_down",
    "BottomUp": "estimators.bottom_up",
}
"""Where each name of the public face lives; it is imported when it is first asked for."""

__all__ = [
    "BottomUp",
    "Camera",
    "Crop",
    "Estimator",
    "Occluder",
    "Person",
    "Recipe",
    "Scene",
    "Skeleton",
    "TopDown",
    "Warp",
    "diagnose",
    "draw",
    "evaluate",
    "load",
    "predict",
    "read",
    "score",
    "study",
]


def __getattr__(name: str) -> Any:
    if name in HOMES:
        return getattr(import_module(f"posewright.{HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


moved.install()
