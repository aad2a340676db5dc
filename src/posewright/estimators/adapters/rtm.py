"""RTMPose, RTMO and their kin as `rtmlib` runs them; Apache-2.0.

Top-down networks (RTMPose, DWPose, ViTPose) cut boxes 1.25 times as large and count pixels from the centre of the
top-left one, as this library does. RTMO looks at the whole picture, resized from edge to edge; its answers, divided by
the ratio alone, are moved here by the half pixel that is missing. rtmlib answers -1 where a score is not above 0;
here such a keypoint is absent. Scores are raw peaks of SimCC, and are clipped.

rtmlib never changes the channels' order, and its examples feed OpenCV's BGR to all networks. MMPose trained those that
normalise by a mean (RTMPose, ViTPose: `bgr_to_rgb=True`) on RGB, and RTMO and the detectors on BGR; so here each gets
what it was trained on, unless `order` says otherwise.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Literal

import numpy as np

from posewright.estimators.adapters.adapted import Adapted, Look, whole_picture
from posewright.estimators.adapters.answer import about, found, swapped
from posewright.estimators.adapters.skeletons import BY_COUNT
from posewright.estimators.estimator import BOXED, WHOLE_PICTURE
from posewright.picture import Pixels
from posewright.scene import Floats, Person
from posewright.skeleton import COCO, Skeleton

Order = Literal["trained", "rgb", "bgr"]


def load(file: str | Path, skeleton: Skeleton = COCO, order: Order = "trained") -> Adapted:
    """Load an RTMPose from an .onnx file, whose input says the crop's size; runs on the CPU.

    Raises ImportError where rtmlib is not installed, FileNotFoundError where there is no such file.
    """
    import onnxruntime

    try:
        from rtmlib import RTMPose
    except ImportError as error:
        raise ImportError("rtmlib is not installed: pip install --no-deps rtmlib") from error
    if not Path(file).is_file():
        raise FileNotFoundError(f"{file}: no such file; name an RTMPose as .onnx")
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    outputs, (*_, height, width) = session.get_outputs(), session.get_inputs()[0].shape
    if len(outputs) != 2 or not isinstance(height, int) or not isinstance(width, int):
        raise ValueError(f"{file}: an RTMPose has a fixed input size and two outputs; load it yourself and use adapt")
    own = BY_COUNT.get(outputs[0].shape[1], COCO)
    return adapt(RTMPose(str(file), model_input_size=(width, height)), skeleton, order, own)


def adapt(model: Any, skeleton: Skeleton = COCO, order: Order = "trained", own: Skeleton | None = None) -> Adapted:
    """Make an estimator of rtmlib's: a whole one (`Body`, `BodyWithFeet`, `Wholebody`) or a network (`RTMPose`...).

    With boxes the detector is not asked; without boxes it is, and where it finds nobody there is nobody (rtmlib
    itself then takes the whole picture for a person). own: the network's keypoints, by default those that it has as
    many of: 17, 18 (to_openpose), 26, 133.
    """
    pose, detector = getattr(model, "pose_model", model), getattr(model, "det_model", None)
    rgb = order == "rgb" or (order == "trained" and getattr(pose, "mean", None) is not None)
    top_down = "bboxes" in inspect.signature(pose.__call__).parameters
    keypoints = own or (BY_COUNT[18] if getattr(pose, "to_openpose", False) else _own(type(model).__name__))

    def look(pixels: Pixels, boxes: list[Floats] | None) -> list[Person]:
        bgr = swapped(pixels)
        if boxes is None and detector is not None:
            boxes = list(detector(bgr))
            if not boxes:
                return []
        asked = {} if boxes is None else {"bboxes": [[float(x) for x in box] for box in boxes]}
        xy, scores = pose(pixels if rgb else bgr, **asked)
        return _people(xy, scores, keypoints)

    def everybody(pixels: Pixels) -> list[Person]:
        xy, scores = pose(pixels if rgb else swapped(pixels))
        ratio = min(np.divide(pose.model_input_size, pixels.shape[:2]))
        return _people(xy + (0.5 / ratio - 0.5), scores, keypoints)

    ways: dict[bool, tuple[Look, str]] = {
        True: (look, "1.25 times, cut by the package; its detector where none is given"),
        False: (whole_picture(everybody, keypoints), "the whole picture's people, by overlap"),
    }
    way, cut = ways[top_down]
    said = about("rtmlib", getattr(pose, "onnx_model", None), network=type(pose).__name__, cut=cut)
    said |= {"channels": "RGB" if rgb else "BGR"}
    return Adapted(way, keypoints, skeleton, said, BOXED if top_down else WHOLE_PICTURE)


def _people(xy: Any, scores: Any, own: Skeleton) -> list[Person]:
    """Make people of arrays (P, K, 2) and (P, K); a larger body of BY_COUNT that begins with `own` is cut short."""
    larger = BY_COUNT.get(xy.shape[1])
    begins = larger is not None and larger.keypoints[: len(own)] == own.keypoints
    count = len(own) if begins else xy.shape[1]
    return [found(place[:count], score[:count]) for place, score in zip(xy, scores, strict=True)]


def _own(solution: str) -> Skeleton:
    """The keypoints of rtmlib's whole ones by their class; of a network alone COCO's."""
    return BY_COUNT[{"BodyWithFeet": 26, "Wholebody": 133}.get(solution, 17)]
