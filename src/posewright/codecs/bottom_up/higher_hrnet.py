"""HigherHRNet: associative embedding whose heatmaps come at two resolutions, and are read as their mean.

Cheng et al. 2020, "HigherHRNet: Scale-Aware Representation Learning for Bottom-Up Human Pose Estimation",
arXiv:1908.10357, section 3, by the authors' code (commit aa23881). Tags are learnt at the coarser resolution alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from posewright.codecs.bottom_up.associative_embedding import (
    drawn_tags,
    grouped,
    mirror_tagged,
    on_maps,
    over_scales,
    tag_heatmaps,
    tag_places,
)
from posewright.codecs.bottom_up.tag_grouping import Rules
from posewright.codecs.bottom_up.whole import Pictures, Unlabelled, WholeMaps, enlarged, everyone, masks
from posewright.codecs.maps import turned
from posewright.fields import Heatmaps, TaggedTwice, Tags
from posewright.scene import Person
from posewright.skeleton import Skeleton
from posewright.warp import Size, Warp

Stage = Heatmaps | Tags
RULES = Rules()


@dataclass(frozen=True)
class HigherHRNet(WholeMaps):
    """Draw everybody at 1/4 and at 1/2 of the resolution, and group peaks by tags.

    size (width, height) px of the pictures; sigma map px, the same at both resolutions; most: how many people have
    their tags learnt; rules: of the grouping.
    """

    size: Size = (512, 512)
    sigma: float = 2.0
    most: int = 30
    rules: Rules = RULES

    tolerance: ClassVar[float] = 3.0
    apart: ClassVar[float] = 24.0
    mirror_tolerance: ClassVar[float] = 5.0

    def encode(self, pictures: Pictures, unlabelled: Unlabelled = None) -> TaggedTwice:
        """Everybody in B pictures, in px, to maps (B, K, h, w), (B, K, 2 h, 2 w), a mask of each, places (B, most, K).

        Of more than `most` people all are drawn, and the first have their tags learnt.
        """
        seen = [everyone(people, self.skeleton) for people in pictures]
        w, h = self.map_size
        drawn = []
        for stride, size in ((self.stride, (w, h)), (self.stride / 2, (2 * w, 2 * h))):
            maps = [tag_heatmaps(*on_maps(each, stride), size, self.sigma) for each in seen]
            shape = (len(pictures), len(self.skeleton), size[1], size[0])
            drawn += [np.array(maps).reshape(shape), masks(pictures, unlabelled, self.size, size)]
        places = [tag_places(*on_maps(each, self.stride), self.map_size, self.most) for each in seen]
        maps_, mask, finer, finer_mask = drawn
        whose = np.array(places, np.int64).reshape(len(pictures), self.most, len(self.skeleton))
        return TaggedTwice(maps_, mask, whose, finer, finer_mask)

    def decode(self, fields: Tags) -> list[list[Person]]:
        """Maps (B, K, h, w) and tags (B, T, K, h, w) of one resolution, whichever, to the people of each picture."""
        return grouped(fields, self.skeleton, self.size[0] / fields.maps.shape[-1], self.rules)

    def together(self, answers: Sequence[tuple[float, Tags]]) -> Tags:
        """Put fields of one picture at several scales together, at the picture's resolution, as the authors do."""
        return over_scales(answers, self.size)

    def perfect(self, target: TaggedTwice) -> Tags:
        """Return what a perfect network's stages would be put together to: tags differ by 10 between people."""
        coarse = Tags(target.maps, drawn_tags(target.places, self.map_size))
        return put_together([coarse, Heatmaps(target.finer)])

    def mirror(self, fields: Any) -> Any:
        """Fields of the mirrored pictures to fields of the pictures; of a target also the places."""
        return mirror_tagged(fields, self.skeleton)


def put_together(stages: Sequence[Stage], skeleton: Skeleton | None = None) -> Tags:
    """Return the mean of the stages' heatmaps, at the last one's resolution, and all tags that they have.

    skeleton: given where the stages are a mirrored picture's, which are then mirrored back. Source: section 3.3,
    get_multi_stage_outputs.
    """
    size = (stages[-1].maps.shape[-1], stages[-1].maps.shape[-2])
    maps = sum(enlarged(stage.maps, size) for stage in stages) / np.float32(len(stages))
    tags = np.concatenate([enlarged(stage.tags, size) for stage in stages if isinstance(stage, Tags)], axis=-4)
    return Tags(maps, tags) if skeleton is None else mirror_tagged(Tags(maps, tags), skeleton)


def with_mirrored(straight: Tags, mirrored_back: Tags) -> Tags:
    """Return the mean of two answers' heatmaps, and the tags of both beside each other."""
    both = np.concatenate([straight.tags, mirrored_back.tags], axis=-4)
    return Tags((straight.maps + mirrored_back.maps) / np.float32(2), both)


def input_size(size: Size, base: int, scale: float = 1.0, smallest: float = 1.0) -> Size:
    """Return the size that a picture of `size` is brought to: its shorter side to `base`, both multiples of 64.

    >>> input_size((640, 480), 512)
    (704, 512)
    """
    short = (int(smallest * base) + 63) // 64 * 64
    width, height = size
    long = int((short / min(size) * max(size) + 63) // 64 * 64)
    near, far = int(short * scale / smallest), int(long * scale / smallest)
    return (near, far) if width < height else (far, near)


def picture_to_input(size: Size, base: int, scale: float = 1.0, smallest: float = 1.0) -> Warp:
    """Return the warp that brings a picture of `size` to `input_size`: by one factor, its centre to the middle.

    Source: get_multi_scale_size and get_affine_transform, which cut the centre to whole px.
    """
    to = input_size(size, base, scale, smallest)
    shown = size[0] if size[0] < size[1] else to[0] / to[1] * size[1]
    factor = to[0] / shown
    center = np.array([int(side / 2 + 0.5) for side in size])
    return turned((factor, factor), center, (to[0] / 2, to[1] / 2), 0.0, False, to)
