"""Adapters: other people's networks as estimators, so that they are scored and attacked like any other.

One small file a package: `vitpose` (transformers), `rtm` (rtmlib), `mediapipe`, `ultralytics` (anything that answers
in its way); `movenet` and `blazepose` run those networks by their files. Each says left and right, pixel centres,
channel order and scores as this library does, and names in its protocol what it changed. `Adapted` makes an estimator
of any function of yours.
"""

from posewright.estimators.adapters.adapted import Adapted, Find, Look, each_box, each_crop, whole_picture
from posewright.estimators.adapters.answer import found, nobody

__all__ = ["Adapted", "Find", "Look", "each_box", "each_crop", "found", "nobody", "whole_picture"]
