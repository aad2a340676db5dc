"""The embedded detector: where people are in photographs, so that an estimator is asked about each of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from posewright.estimators import runtimes
from posewright.estimators.bottom_up import BottomUp
from posewright.estimators.estimator import Image
from posewright.estimators.runtimes import Backend, metadata

if TYPE_CHECKING:  # what ranks boxes brings scipy, which starting must not wait for
    from posewright.datasets.detections import Detected


@dataclass(frozen=True, eq=False)
class Detector:
    """Find people as boxes: `detector.many(pictures)` yields what it detects in each, best first.

    file: an exported network whose codec finds people with boxes and scores. It is loaded when first asked. Raises
    ModelFileError where the file is no such network.
    """

    file: Path
    backend: Backend = "auto"
    threads: int | None = None
    batch: int = 4

    @cached_property
    def finder(self) -> BottomUp:
        """What looks at whole pictures."""
        network = runtimes.load(self.file, self.backend, threads=self.threads)
        return BottomUp(network, network.codec, batch=self.batch)

    def many(self, images: Iterable[Image]) -> Iterator[list[Detected]]:
        """Detect the people of picture after picture."""
        from posewright.datasets.detections import Detected

        for people in self.finder.many(images):
            found = [Detected(np.asarray(one.box), one.score or 0.0) for one in people if one.box is not None]
            yield sorted(found, key=lambda one: -one.score)

    def protocol(self) -> dict[str, Any]:
        """Say what detects, for the protocol that stands beside every number."""
        facts = metadata.facts(self.file)
        name = facts.card.get("recipe", self.file.name)
        return {"name": name, "weights": facts.weights, "codec": repr(facts.codec)}
