"""Metrics: functions `(predicted, truth) -> Score`, a dict of numbers that carries its protocol."""

from posewright.metrics.aic_map import aic_map
from posewright.metrics.mpii_map import mpii_map
from posewright.metrics.oks import oks_ap
from posewright.metrics.oks_nms import oks_nms, rescored, soft_oks_nms
from posewright.metrics.pck import pck, pckh
from posewright.metrics.pose_nms import pose_nms
from posewright.metrics.score import Score

__all__ = ["Score", "aic_map", "mpii_map", "oks_ap", "oks_nms", "pck", "pckh", "pose_nms", "rescored", "soft_oks_nms"]
