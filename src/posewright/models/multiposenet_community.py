"""The community's MultiPoseNet (LiMeng95/MultiPoseNet.pytorch at 7b548fc), whose weights are public.

As `multiposenet`, but: 18 maps, of the keypoints and a neck in OpenPose's order, and no silhouettes (a 19th map of each
level is never learnt); the coarsest level of the keypoints' pyramid is not convolved; the PRN that the authors
released stands in the same file, in this network's `prn`, and is asked apart, box by box.
"""

from __future__ import annotations

from torch import nn

from posewright.models import prn, resnet
from posewright.models.feature_pyramid import BACKBONE_WIDTHS, WIDTH, FeaturePyramid
from posewright.models.multiposenet import LEVELS, KeypointHead, MultiPoseNet
from posewright.models.original import Original
from posewright.models.prn import ReleasedPRN
from posewright.models.resnet import ResNet

KEYPOINTS = 18  # with the neck; the PRN knows the 17 others


class CommunityMultiPoseNet(MultiPoseNet):
    """Return what `MultiPoseNet` does, `silhouettes` being None; the levels' maps (B, 19, H/4, W/4)."""

    def __init__(self, backbone: ResNet) -> None:
        super().__init__(backbone, KEYPOINTS)
        self.keypoint_pyramid = FeaturePyramid(BACKBONE_WIDTHS, smoothed=False)
        self.keypoint_head = KeypointHead(KEYPOINTS)
        self.level_heads = nn.ModuleList(nn.Conv2d(WIDTH, KEYPOINTS + 1, 1) for _ in range(LEVELS))
        self.prn = ReleasedPRN(KEYPOINTS - 1)


def multiposenet_community_r50() -> CommunityMultiPoseNet:
    """Over ResNet-50."""
    return CommunityMultiPoseNet(resnet.resnet50())


def multiposenet_community_r101() -> CommunityMultiPoseNet:
    """Over ResNet-101, whose weights are public."""
    return CommunityMultiPoseNet(resnet.resnet101())


# From the community's names; most of its numbers count from the coarsest level.
RENAMES = (
    *((rf"^fpn\.latlayer{n}\.", f"box_pyramid.fpn.laterals.{3 - n}.") for n in (1, 2, 3)),
    *((rf"^fpn\.toplayer{n}\.", f"box_pyramid.fpn.smooth.{2 - n}.") for n in (0, 1, 2)),
    (r"^fpn\.conv6\.", "box_pyramid.sixth."),
    (r"^fpn\.conv7\.", "box_pyramid.seventh."),
    (r"^fpn\.toplayer\.", "keypoint_pyramid.laterals.3."),
    *((rf"^fpn\.flatlayer{n}\.", f"keypoint_pyramid.laterals.{3 - n}.") for n in (1, 2, 3)),
    *((rf"^fpn\.smooth{n}\.", f"keypoint_pyramid.smooth.{3 - n}.") for n in (1, 2, 3)),
    *((rf"^conv{letter}{n}\.", f"keypoint_head.narrow.{4 - n}.{place}.")
      for place, letter in enumerate("ts") for n in range(1, 5)),
    (r"^conv2\.", "keypoint_head.smooth.0."),
    (r"^convfin\.", "keypoint_head.maps."),
    *((rf"^convfin_k{n}\.", f"level_heads.{n - 2}.") for n in range(2, 6)),
    (r"^classificationModel\.", "box_head.scores."),
    (r"^regressionModel\.", "box_head.deltas."),
    *((rf"^(box_head\.\w+\.)conv{n}\.", rf"\g<1>{2 * n - 2}.") for n in range(1, 5)),
    (r"^(box_head\.\w+\.)output\.", r"\g<1>8."),
    (r"^fpn\.", ""),
    *resnet.RENAMES,
    (r"^(?=(stem|stage[1-4])\.)", "backbone."),
    *((pattern.replace("^", r"^prn\."), f"prn.{ours}") for pattern, ours in prn.RENAMES),
)  # fmt: skip

ORIGINAL = Original(RENAMES)
