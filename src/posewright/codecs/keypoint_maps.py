"""What the codecs of one map a keypoint share: a grid of map pixels over the crop, and how its maps mirror."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from posewright.codecs.maps import Grid, mirrored, reordered
from posewright.fields import Heatmaps


@dataclass(frozen=True)
class KeypointMaps(Grid):
    """Lay a map a keypoint over a crop; each paper says how it draws and reads them."""

    tolerance: ClassVar[float]
    """px along each axis, at the defaults, as all below: how near decode of encode comes to the people."""
    margin: ClassVar[float]
    """px from the border, beyond which `tolerance` holds."""
    border_tolerance: ClassVar[float]
    """How near decode of encode comes anywhere in the crop."""
    mirror_tolerance: ClassVar[float] = 1e-3
    """How near the answer of a mirrored crop, mirrored back, comes to the crop's."""
    beyond: ClassVar[float] = 0.0
    """How far outside the crop an answer may lie."""

    def mirror(self, fields: Any) -> Any:
        """Fields of the mirrored crop to fields of the crop."""
        return Heatmaps(mirrored(fields.maps, self.skeleton), reordered(fields.weights, self.skeleton))
