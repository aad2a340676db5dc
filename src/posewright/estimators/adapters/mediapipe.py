"""BlazePose (Bazarevsky et al. 2020, arXiv:2006.10204) as MediaPipe's PoseLandmarker runs it; Apache-2.0.

MediaPipe gives places as shares of the picture, from edge to edge (its own drawing takes the floor of share times
width), so half a pixel is taken off. It says three things of a landmark, and they stay apart: where it is, `presence`,
how likely it lies inside the picture, which is the score here, and `visibility`, how likely nothing hides it, which
makes a keypoint SEEN from VISIBLE on and HIDDEN below. It answers every landmark, also those outside the picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from posewright.estimators.adapters.adapted import Adapted, each_box
from posewright.estimators.adapters.answer import about, found
from posewright.estimators.adapters.skeletons import BLAZEPOSE_33
from posewright.estimators.estimator import BOXED
from posewright.picture import Pixels
from posewright.scene import ABSENT, HIDDEN, SEEN, Person
from posewright.skeleton import COCO, Skeleton

VISIBLE = 0.5
SAID = {
    "scores": "presence, clipped into [0, 1]; a person's is the mean",
    "visible": f"hidden where visibility is below {VISIBLE}",
    "cut": "1.25 times, cut without resampling; the whole picture where none is given",
}
"""What the protocol says of all its estimators."""


def load(file: str | Path = "", skeleton: Skeleton = COCO, poses: int = 1) -> Adapted:
    """Load a pose landmarker from its .task file; poses: how many people it looks for in a picture.

    Without a file, the network that older packages carry (`mediapipe.solutions`). Raises ImportError where mediapipe is
    not installed or carries none, FileNotFoundError where there is no such file.
    """
    if not str(file):
        return carried(skeleton)
    if not Path(file).is_file():
        raise FileNotFoundError(f"{file}: no such file; name a pose landmarker's .task file")
    try:
        from mediapipe.tasks.python import BaseOptions, vision
    except ImportError as error:
        raise ImportError("mediapipe is not installed: pip install mediapipe") from error
    options = vision.PoseLandmarkerOptions(base_options=BaseOptions(model_asset_path=str(file)), num_poses=poses)
    return adapt(vision.PoseLandmarker.create_from_options(options), skeleton, file)


def carried(skeleton: Skeleton = COCO) -> Adapted:
    """Make an estimator of the network that the package itself carries; raises ImportError where there is none."""
    try:
        import mediapipe
    except ImportError as error:
        raise ImportError("mediapipe is not installed: pip install mediapipe") from error
    if not hasattr(mediapipe, "solutions"):
        raise ImportError("the installed mediapipe carries no network; name a file, as in mediapipe:FILE.task")
    pose = mediapipe.solutions.pose.Pose(static_image_mode=True)

    def find(pixels: Pixels) -> list[Person]:
        marks = pose.process(np.ascontiguousarray(pixels)).pose_landmarks
        return [] if marks is None else [_person(marks.landmark, (pixels.shape[1], pixels.shape[0]))]

    said = about("mediapipe", **SAID, weights="those that the package carries")
    return Adapted(each_box(find, BLAZEPOSE_33), BLAZEPOSE_33, skeleton, said, BOXED)


def adapt(landmarker: Any, skeleton: Skeleton = COCO, weights: str | Path | None = None) -> Adapted:
    """Make an estimator of a PoseLandmarker in image mode.

    skeleton: COCO's 17 keypoints are among its 33 by name; `skeletons.BLAZEPOSE_33` keeps all. Each box is cut out,
    1.25 times as large, since it looks for one person a picture unless told otherwise.
    """
    said = about("mediapipe", weights, **SAID)

    def find(pixels: Pixels) -> list[Person]:
        import mediapipe

        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))
        size = (pixels.shape[1], pixels.shape[0])
        return [_person(landmarks, size) for landmarks in landmarker.detect(image).pose_landmarks]

    return Adapted(each_box(find, BLAZEPOSE_33), BLAZEPOSE_33, skeleton, said, BOXED)


def _person(landmarks: Any, size: tuple[int, int]) -> Person:
    xy = np.array([(one.x, one.y) for one in landmarks]) * size - 0.5
    presence, visibility = ([getattr(one, name) for one in landmarks] for name in ("presence", "visibility"))
    there = np.asarray(np.isfinite(xy).all(axis=1))
    scores = None if None in presence else np.array(presence)
    visible = None
    if None not in visibility:
        seen = np.where(np.array(visibility) >= VISIBLE, SEEN, HIDDEN)
        visible = np.where(there, seen, ABSENT).astype(np.uint8)
    return found(xy, scores, there, visible=visible)
