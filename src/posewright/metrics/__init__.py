"""Metrics: functions `(predicted, truth) -> Score`, a dict of numbers that carries its protocol."""

from posewright.metrics.oks import oks_ap
from posewright.metrics.pck import pck, pckh
from posewright.metrics.score import Score

__all__ = ["Score", "oks_ap", "pck", "pckh"]
