"""UDP (Huang et al. 2020, arXiv:1911.07524): any network of 3 maps a keypoint, a disk and the way to its middle.

Protocols are those of the network at hand. "UDPv1" is, by the authors' README, a disk of 3.5 map px radius where the
first UDP has 4, at any size; their later code makes 3.5 a share of the map's height, which at 384x288 would be 5.25.
Their numbers rest on boxes of 65.1 person AP. They publish 0.2 M parameters more than the network has alone; their
code adds two maps a keypoint, 0.001 M, and so does this.

SimpleBaseline with UDPv1 is of the later paper on occlusion (arXiv:2008.07139), and so on HRNet's schedule; whether its
jitter was HRNet's could not be read: here it is SimpleBaseline's. That paper's 2xRSN-50 is left out: the authors' code
gives RSN neither disks nor a v1, but Gaussians of five widths in UDP's coordinates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from posewright.codecs.udp import UdpOffsets, offsets_from
from posewright.recipes.hrnet import (
    PHASES,
    hrnet_w32_coco,
    hrnet_w32_coco_384x288,
    hrnet_w48_coco,
    hrnet_w48_coco_384x288,
)
from posewright.recipes.losses import disks_and_offsets
from posewright.recipes.recipe import Recipe
from posewright.recipes.simple_baseline import simple_baseline_r50_coco
from posewright.skeleton import COCO

RADIUS = {"UDP": 4.0, "UDPv1": 3.5}
"""Of the disk, in map px."""
CHANNELS = 3 * len(COCO)


def hrnet(width: int) -> Any:
    """Build HRNet of a width with disks and offsets for COCO's keypoints."""
    from posewright.models.hrnet import HRNet

    return HRNet(width, CHANNELS, offsets_from)


def simple_baseline() -> Any:
    """Build SimpleBaseline over ResNet-50 with disks and offsets for COCO's keypoints."""
    from posewright.models.resnet import resnet50
    from posewright.models.simple_baseline import SimpleBaseline

    return SimpleBaseline(resnet50(), CHANNELS, offsets_from)


def with_udp(recipe: Recipe, version: str, build: Callable[[], Any], parameters: int, *aps: float) -> Recipe:
    """The same by a version of UDP, with the network that `build` makes; aps: on val2017, then on test-dev2017."""
    codec = UdpOffsets(COCO, recipe.codec.size)
    return replace(
        recipe,
        name=f"{recipe.name}_{version.lower()}",
        summary=f"{recipe.summary}, {version}",
        paper="https://arxiv.org/abs/1911.07524",
        network=build,
        codec=replace(codec, reach=RADIUS[version] / codec.map_size[1]),
        loss=disks_and_offsets,
        aim=UdpOffsets.around,
        parameters=parameters,
        reported=dict(zip((VALIDATION, TEST), aps, strict=False)),
    )


VALIDATION, TEST = (f"AP ({split}, boxes of 65.1 person AP, flip)" for split in ("val2017", "test-dev2017"))
W32, W48 = (partial(hrnet, 32), 28_537_235), (partial(hrnet, 48), 63_597_411)
hrnet_w32_coco_udp = with_udp(hrnet_w32_coco, "UDP", *W32, 0.768, 0.752)
hrnet_w48_coco_384x288_udp = with_udp(hrnet_w48_coco_384x288, "UDP", *W48, 0.778, 0.765)
hrnet_w32_coco_udpv1 = with_udp(hrnet_w32_coco, "UDPv1", *W32, 0.772, 0.756)
hrnet_w32_coco_384x288_udpv1 = with_udp(hrnet_w32_coco_384x288, "UDPv1", *W32, 0.779, 0.765)
hrnet_w48_coco_udpv1 = with_udp(hrnet_w48_coco, "UDPv1", *W48, 0.778, 0.761)
simple_baseline_r50_coco_udpv1 = with_udp(
    replace(simple_baseline_r50_coco, phases=PHASES), "UDPv1", simple_baseline, 34_008_435, 0.746, 0.731
)
