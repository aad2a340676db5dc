"""Depthwise convolution that learns fast on a processor in bfloat16.

PyTorch's own gradients of it take 2 to 25 times as long in bfloat16 as in single precision (2.13, oneDNN): that of the
input where the stride is 2, that of the kernel where it is 5x5. So the former is a convolution forward, which is fast,
and the latter is in single precision.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d

SMALL = 3
"""The side of a kernel up to which its gradient is fast in bfloat16."""


def halved(x: Tensor) -> bool:
    """Tell whether a convolution of x would be learnt from in bfloat16 on a processor."""
    return torch.is_grad_enabled() and x.device.type == "cpu" and torch.is_autocast_enabled("cpu")


def depthwise(x: Tensor, kernel: Tensor, stride: int, padding: int) -> Tensor:
    """Convolve each channel with its own kernel, as `Depthwise` says."""
    answer: Tensor = Depthwise.apply(x, kernel, stride, padding)  # type: ignore[no-untyped-call]
    return answer


class Depthwise(torch.autograd.Function):
    """Convolve each channel (B, C, H, W) with its own kernel (C, 1, k, k), in bfloat16.

    With y_i = sum_a w_a x_{s i + a - p}, the gradient of x_j is sum_a w_a g_{j - a + p}: a convolution of the mirrored
    kernel over the gradient of y, spread out with s - 1 zeros between its pixels.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, stride: int, padding: int) -> Tensor:
        x = x.bfloat16()
        ctx.save_for_backward(x, kernel)
        ctx.stride, ctx.padding = stride, padding
        return conv2d(x, kernel.bfloat16(), None, stride, padding, groups=x.shape[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x, kernel = ctx.saved_tensors
        stride, padding, beyond = ctx.stride, ctx.padding, kernel.shape[-1] - 1
        spread = gradient
        if stride > 1:
            height, width = (length + 2 * padding - beyond for length in x.shape[-2:])
            spread = torch.empty(
                *x.shape[:2], height, width, dtype=gradient.dtype, memory_format=torch.channels_last
            ).zero_()
            spread[..., ::stride, ::stride] = gradient
        mirrored = kernel.flip(-2, -1).to(gradient.dtype)
        of_x = conv2d(spread, mirrored, None, 1, beyond - padding, groups=x.shape[1])
        kind = kernel.dtype if kernel.shape[-1] > SMALL else x.dtype
        of_kernel = torch.ops.aten.convolution_backward(
            gradient.to(kind), x.to(kind), kernel.to(kind), None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0],
            x.shape[1], (False, True, False),
        )[1]  # fmt: skip
        return of_x, of_kernel.to(kernel.dtype), None, None
