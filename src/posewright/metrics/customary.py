"""Customary metrics: what a data set is scored by where nobody says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from posewright.metrics import Score, by_person, nme, oks_ap, pck, pckh
from posewright.metrics.oks.similarity import oks_sigmas
from posewright.scene import Scene
from posewright.skeleton import COCO

Metric = Callable[[Sequence[Scene], Sequence[Scene]], dict[str, float]]


def metric_for(truth: Sequence[Scene]) -> Metric:
    """Choose what is customary for a skeleton: PCK for LSP and FLIC, PCKh for MPII, OKS AP elsewhere; else NME."""
    customary: dict[str, Callable[..., Score]] = {"lsp": pck, "flic": pck, "mpii": pckh}
    name = truth[0].skeleton.name if truth else ""
    if name in customary:
        return by_person(customary[name])
    try:
        oks_sigmas(truth[0].skeleton if truth else COCO)
    except ValueError:
        return by_person(nme)
    return oks_ap
