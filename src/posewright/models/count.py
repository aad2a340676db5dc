"""How large a network is and how much it computes, counted as the published tables count."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


def parameters(model: nn.Module) -> int:
    """Count the numbers that training changes; what a network keeps frozen is not among them.

    >>> parameters(nn.Conv2d(3, 8, kernel_size=3))
    224
    """
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def numbers(model: nn.Module) -> int:
    """Count all numbers that decide a network's answer, frozen ones and the statistics of BatchNorms among them.

    Keras counts "parameters" so, and with it EfficientPose's and EvoPose2D's papers.

    >>> numbers(nn.BatchNorm2d(8))
    32
    """
    return sum(value.numel() for value in model.state_dict().values() if value.is_floating_point())


def macs(model: nn.Module, size: tuple[int, int]) -> int:
    """Count the multiply-accumulates for one picture of `size` (width, height) px.

    Counted are convolutions, transposed convolutions (at their input positions, where the products
    are) and linear layers, without biases. "GFLOPs" of HRNet's and UDP's papers are about
    macs / 2**30, with transposed convolutions at their output positions, which is 4 times as many.

    >>> macs(nn.Conv2d(3, 8, kernel_size=3, padding=1), (10, 20))
    43200
    """
    counted: list[int] = []
    hooks: list[RemovableHandle] = []

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        counted.append(_products(module, inputs[0], output))

    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            hooks.append(module.register_forward_hook(count))
    training = model.training
    place = next(model.parameters())
    try:
        with torch.inference_mode():
            model.eval()(place.new_zeros(1, 3, size[1], size[0]))
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return sum(counted)


def _products(module: nn.Module, entering: Tensor, leaving: Tensor) -> int:
    """Count one layer's products: a product for each weight and each place that it is used at."""
    weight = module.weight
    assert isinstance(weight, Tensor)
    if isinstance(module, nn.Linear):
        return leaving.numel() * weight.shape[1]
    places = entering if isinstance(module, nn.ConvTranspose2d) else leaving
    return weight.numel() * prod(places.shape[-2:])
