"""Metrics: functions `(predicted, truth) -> Score`, a dict of numbers that carries its protocol."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from posewright.metrics.detection.box_ap import box_ap
    from posewright.metrics.detection.mask_iou import mask_iou
    from posewright.metrics.diagnosis.kinds import Diagnosis, Kind, diagnose, kinds
    from posewright.metrics.diagnosis.mistakes import mistakes
    from posewright.metrics.diagnosis.repair import repairs
    from posewright.metrics.diagnosis.sensitivity import sensitivity
    from posewright.metrics.distance.heatmaps import HeatmapAccuracy, heatmap_accuracy
    from posewright.metrics.distance.mpii_map import mpii_map
    from posewright.metrics.distance.nme import auc, epe, nme
    from posewright.metrics.distance.pairing import by_person, shared_keypoints, singles
    from posewright.metrics.distance.pck import pck, pckh
    from posewright.metrics.distance.pcp import pcp
    from posewright.metrics.distance.pdj import pdj
    from posewright.metrics.oks.aic_map import aic_map
    from posewright.metrics.oks.average_precision import oks_ap
    from posewright.metrics.oks.by_state import (
        ap_by_cause,
        ap_by_hidden,
        ap_by_keypoint,
        ap_by_size,
        ap_by_truncation,
        ap_by_visibility,
    )
    from posewright.metrics.oks.crowding import ap_by_crowding, crowd_index, crowdpose_ap
    from posewright.metrics.oks.oks_nms import oks_nms, rescored, soft_oks_nms
    from posewright.metrics.oks.pose_nms import pose_nms
    from posewright.metrics.score import Score
    from posewright.metrics.trust.calibration import keypoint_calibration, person_calibration, visibility_auc
    from posewright.metrics.trust.confidence import compare, holm, intervals
    from posewright.metrics.trust.validity import sigma_band, warnings

__all__ = [
    "Diagnosis",
    "HeatmapAccuracy",
    "Kind",
    "Score",
    "aic_map",
    "ap_by_cause",
    "ap_by_crowding",
    "ap_by_hidden",
    "ap_by_keypoint",
    "ap_by_size",
    "ap_by_truncation",
    "ap_by_visibility",
    "auc",
    "box_ap",
    "by_person",
    "compare",
    "crowd_index",
    "crowdpose_ap",
    "diagnose",
    "epe",
    "heatmap_accuracy",
    "holm",
    "intervals",
    "keypoint_calibration",
    "kinds",
    "mask_iou",
    "mistakes",
    "mpii_map",
    "nme",
    "oks_ap",
    "oks_nms",
    "pck",
    "pckh",
    "pcp",
    "pdj",
    "person_calibration",
    "pose_nms",
    "repairs",
    "rescored",
    "sensitivity",
    "shared_keypoints",
    "sigma_band",
    "singles",
    "soft_oks_nms",
    "visibility_auc",
    "warnings",
]

_HOMES = {
    "detection.box_ap": "box_ap",
    "detection.mask_iou": "mask_iou",
    "diagnosis.kinds": "Diagnosis Kind diagnose kinds",
    "diagnosis.mistakes": "mistakes",
    "diagnosis.repair": "repairs",
    "diagnosis.sensitivity": "sensitivity",
    "distance.heatmaps": "HeatmapAccuracy heatmap_accuracy",
    "distance.mpii_map": "mpii_map",
    "distance.nme": "auc epe nme",
    "distance.pairing": "by_person shared_keypoints singles",
    "distance.pck": "pck pckh",
    "distance.pcp": "pcp",
    "distance.pdj": "pdj",
    "oks.aic_map": "aic_map",
    "oks.average_precision": "oks_ap",
    "oks.by_state": "ap_by_cause ap_by_hidden ap_by_keypoint ap_by_size ap_by_truncation ap_by_visibility",
    "oks.crowding": "ap_by_crowding crowd_index crowdpose_ap",
    "oks.oks_nms": "oks_nms rescored soft_oks_nms",
    "oks.pose_nms": "pose_nms",
    "score": "Score",
    "trust.calibration": "keypoint_calibration person_calibration visibility_auc",
    "trust.confidence": "compare holm intervals",
    "trust.validity": "sigma_band warnings",
}
"""Names by the module that they live in; it is imported when one is first asked for, as all of them take long."""
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"posewright.metrics.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
