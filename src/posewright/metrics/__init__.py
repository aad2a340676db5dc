"""Metrics: functions `(predicted, truth) -> Score`, a dict of numbers that carries its protocol."""

from posewright.metrics.aic_map import aic_map
from posewright.metrics.average_precision import oks_ap
from posewright.metrics.by_state import (
    ap_by_cause,
    ap_by_hidden,
    ap_by_keypoint,
    ap_by_size,
    ap_by_truncation,
    ap_by_visibility,
)
from posewright.metrics.calibration import keypoint_calibration, person_calibration, visibility_auc
from posewright.metrics.confidence import compare, holm, intervals
from posewright.metrics.crowding import ap_by_crowding, crowd_index, crowdpose_ap
from posewright.metrics.diagnosis import Diagnosis, Kind, diagnose, kinds
from posewright.metrics.heatmaps import HeatmapAccuracy, heatmap_accuracy
from posewright.metrics.mistakes import mistakes
from posewright.metrics.mpii_map import mpii_map
from posewright.metrics.nme import auc, epe, nme
from posewright.metrics.oks_nms import oks_nms, rescored, soft_oks_nms
from posewright.metrics.pairing import by_person, shared_keypoints, singles
from posewright.metrics.pck import pck, pckh
from posewright.metrics.pcp import pcp
from posewright.metrics.pdj import pdj
from posewright.metrics.pose_nms import pose_nms
from posewright.metrics.repair import repairs
from posewright.metrics.score import Score
from posewright.metrics.sensitivity import sensitivity
from posewright.metrics.validity import sigma_band, warnings

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
