"""PyraNet (Yang et al., ICCV 2017, arXiv:1708.01101): stacked hourglasses that look at several scales everywhere.

    images -> 7x7 /2, PRM, pool /2, PRM x2 -> x               256 channels at 64x64
    x -> hourglass of PRMs -> 1x1 -> features -> 1x1 -> K maps (supervised)
     \\------------------------------------ + <- 1x1 ---/-- 1x1 -/        the next stack's x (Fig. 2)

PRM: see `pyramid_residual`. Drawn as the authors' code has it: every convolution has a bias, the last block of an
hourglass's lower half projects its shortcut, and plain residuals work at the two lowest resolutions. Eight stacks
have 28.1 M parameters and 22.8 G multiply-accumulates; the paper counts 26.9 M and 45.9 G operations.
"""

from __future__ import annotations

from torch import nn

from posewright.models.hourglass import DEPTH, WIDTH, Hourglass, Residual, Stacks, rectified
from posewright.models.original import Original
from posewright.models.pixels import Normal
from posewright.models.pyramid_residual import PRM_B, Form, PyramidResidual, initialise, narrowed, shortcut


def residual(inputs: int, outputs: int, projected: bool = False) -> Residual:
    """Build the hourglass's residual with a shortcut of this paper's."""
    block = Residual(inputs, outputs)
    block.shortcut = shortcut(inputs, outputs, projected)
    return block


def hourglass(depth: int, width: int, form: Form) -> Hourglass:
    """Build an hourglass of pyramids, except at the two lowest resolutions."""

    def block(least: int, projected: bool = False) -> nn.Module:
        if depth < least:
            return residual(width, width, projected)
        return PyramidResidual(width, width, form, projected=projected)

    inner = hourglass(depth - 1, width, form) if depth > 1 else block(3)
    return Hourglass(beside=block(2), before=block(3), inner=inner, after=block(3, projected=True))


def stem(width: int, form: Form) -> nn.Sequential:
    """Bring a picture (B, 3, H, W) to (B, width, H/4, W/4)."""
    first = [*rectified(3, 64, 7, stride=2), PyramidResidual(64, 128, form, active=True)]
    return nn.Sequential(*first, nn.MaxPool2d(2), PyramidResidual(128, 128, form), PyramidResidual(128, width, form))


class PyraNet(Stacks):
    """Return one map a keypoint at a quarter of the resolution, from each stack.

    images (B, 3, H, W), H and W multiples of 64; one stage of `Heatmaps` (B, K, H/4, W/4) a stack. form: `PRM_A`
    to `PRM_D`. Weights start as `initialise` draws them.
    """

    def __init__(self, stacks: int, keypoints: int, form: Form = PRM_B, width: int = WIDTH) -> None:
        super().__init__(
            stem(width, form),
            (hourglass(DEPTH, width, form) for _ in range(stacks)),
            (narrowed(width, width) for _ in range(stacks)),
            (nn.Conv2d(width, keypoints, 1) for _ in range(stacks)),
            (nn.Conv2d(width, width, 1) for _ in range(stacks - 1)),
            (nn.Conv2d(keypoints, width, 1) for _ in range(stacks - 1)),
        )
        initialise(self)


def pyranet_2(keypoints: int = 16) -> PyraNet:
    """Two stacks, as in the authors' example script."""
    return PyraNet(2, keypoints)


def pyranet_8(keypoints: int = 16) -> PyraNet:
    """Eight stacks, the paper's final network."""
    return PyraNet(8, keypoints)


# From the names of AlphaPose's PyTorch code, which follows the authors' in Lua Torch. Its first module lacks two
# layers, so that numbers there mean other layers than elsewhere.
RENAMES = (
    (r"^preact\.0\.", "stem."),
    (r"^preact\.1\.0\.(con\.modules_list\.0\.0\.0\.modules_list\.1)\.4\.", r"stem.3.\1.6."),
    (r"^preact\.1\.0\.(con\.modules_list\.0\.0\.0\.modules_list\.1)\.6\.", r"stem.3.\1.8."),
    (r"^preact\.1\.0\.", "stem.3."),
    (r"^preact\.2\.", "stem.5."),
    (r"^preact\.3\.", "stem.6."),
    (r"^stack_lin\.(\d+)\.0\.", r"hourglasses.\1."),
    (r"^stack_lin\.(\d+)\.1\.", r"features.\1.0."),
    (r"^stack_lin\.(\d+)\.3\.", r"features.\1.2."),
    (r"^stack_lin\.(\d+)\.4\.", r"features.\1.3."),
    (r"^stack_out\.", "heads."),
    (r"^stack_lin_\.", "returned_features."),
    (r"^stack_out_\.", "returned_maps."),
    (r"\.upperBranch\.0\.", ".beside."),
    (r"\.lowerBranch\.0\.1\.0\.", ".before."),
    (r"\.lowerBranch\.1\.0\.", ".inner."),
    (r"\.lowerBranch\.1(?=\.)", ".inner"),
    (r"\.lowerBranch\.2\.0\.", ".after."),
    (r"\.con\.modules_list\.0\.0\.0\.modules_list\.0\.", ".local."),
    (
        r"\.con\.modules_list\.0\.0\.0\.modules_list\.1\.[35]\.0\.modules_list\.(\d)\.1\.",
        r".pyramid.levels.\1.convolution.",
    ),
    (r"\.con\.modules_list\.0\.0\.0\.modules_list\.1\.6\.", ".pyramid.widen.0."),
    (r"\.con\.modules_list\.0\.0\.0\.modules_list\.1\.8\.", ".pyramid.widen.2."),
    (r"\.con\.modules_list\.0\.0\.0\.modules_list\.1\.", ".pyramid.narrow.0."),
    (r"\.con\.modules_list\.0\.1\.", ".third.0."),
    (r"\.con\.modules_list\.0\.3\.", ".third.2."),
    (r"\.con\.modules_list\.1\.m\.", ".shortcut."),
    (r"\.0\.modules_list\.0\.0\.", ".first.0."),
    (r"\.0\.modules_list\.0\.2\.", ".first.2."),
    (r"\.0\.modules_list\.0\.3\.", ".second.0."),
    (r"\.0\.modules_list\.0\.5\.", ".second.2."),
    (r"\.0\.modules_list\.0\.6\.", ".third.0."),
    (r"\.0\.modules_list\.0\.8\.", ".third.2."),
    (r"\.0\.modules_list\.1\.", ".shortcut."),
)

ORIGINAL = Original(
    RENAMES,
    head=r"(heads|returned_maps)\.",
    normal=Normal((0.406, 0.457, 0.480), (1.0, 1.0, 1.0)),  # what AlphaPose takes from an RGB picture
)
