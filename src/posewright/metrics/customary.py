"""Customary metrics: what a data set is scored by where nobody says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from posewright.metrics import Score, by_person, oks_ap, pck, pckh
from posewright.scene import Scene

Metric = Callable[[Sequence[Scene], Sequence[Scene]], dict[str, float]]


def metric_for(truth: Sequence[Scene]) -> Metric:
    """Choose what is customary for a skeleton: PCK for LSP and FLIC, PCKh for MPII, OKS AP elsewhere."""
    customary: dict[str, Callable[..., Score]] = {"lsp": pck, "flic": pck, "mpii": pckh}
    name = truth[0].skeleton.name if truth else ""
    return by_person(customary[name]) if name in customary else oks_ap
