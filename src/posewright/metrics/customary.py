"""Customary metrics: what a data set is scored by where nobody says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from posewright.metrics import Score, aic_map, by_person, crowdpose_ap, nme, oks_ap, pck, pckh
from posewright.metrics.oks.similarity import oks_sigmas
from posewright.scene import Scene
from posewright.skeleton import COCO

Metric = Callable[[Sequence[Scene], Sequence[Scene]], dict[str, float]]
CUSTOMARY: dict[str, Callable[..., Score]] = {
    "lsp": by_person(pck), "flic": by_person(pck), "mpii": by_person(pckh), "crowdpose": crowdpose_ap, "aic": aic_map,
}  # fmt: skip
"""What the data set of a skeleton is scored by; all others by oks_ap."""


def metric_for(truth: Sequence[Scene]) -> Metric:
    """Choose what is customary for a skeleton, OKS AP where nothing else is; NME where OKS knows no sigmas."""
    name = truth[0].skeleton.name if truth else ""
    if name in CUSTOMARY:
        return CUSTOMARY[name]
    try:
        oks_sigmas(truth[0].skeleton if truth else COCO)
    except ValueError:
        return by_person(nme)
    return oks_ap
