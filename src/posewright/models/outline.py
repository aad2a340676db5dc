"""The outline of a network: its parts in the order in which they are called, with what leaves them."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor, nn

from posewright.models.count import parameters


class Part(NamedTuple):
    """Name a part: how deep it lies, its name and kind, its parameters, and the shapes of what leaves it.

    shapes leave the batch out; a part that is called again and again is listed once, `times` it is called.
    """

    depth: int
    name: str
    kind: str
    parameters: int
    shapes: tuple[tuple[int, ...], ...]
    times: int


def outline(model: nn.Module, size: tuple[int, int], depth: int = 2) -> list[Part]:
    """List the parts of a network down to a depth, as one picture of `size` (width, height) px passes.

    Parts that nothing passes through are left out. On the "meta" device nothing is computed.
    """
    names = {module: name for name, module in model.named_modules() if name and name.count(".") < depth}
    found: dict[nn.Module, Part] = {}
    begun: list[nn.Module] = []

    def begin(module: nn.Module, inputs: Any) -> None:  # noqa: ARG001
        if module not in begun:
            begun.append(module)

    def end(module: nn.Module, inputs: Any, leaving: Any) -> None:  # noqa: ARG001
        name = names[module]
        times = found[module].times + 1 if module in found else 1
        found[module] = Part(0, name, type(module).__name__, parameters(module), tuple(shapes(leaving)), times)

    hooks = [module.register_forward_pre_hook(begin) for module in names]
    hooks += [module.register_forward_hook(end) for module in names]
    place = next(model.parameters())
    training = model.training
    try:
        model.eval()(place.new_zeros(1, 3, size[1], size[0]))
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return _nested([found[module] for module in begun])


def _nested(parts: list[Part]) -> list[Part]:
    """Say how deep parts lie, and shorten their names to what the part around them does not say."""
    depths: dict[str, int] = {}
    nested = []
    for part in parts:
        around = next((name for name in _around(part.name) if name in depths), "")
        depths[part.name] = depths[around] + 1 if around else 0
        nested.append(part._replace(depth=depths[part.name], name=part.name.removeprefix(f"{around}.")))
    return nested


def _around(name: str) -> list[str]:
    """Name what lies around a part, nearest first.

    >>> _around("stem.0.conv")
    ['stem.0', 'stem']
    """
    steps = name.split(".")
    return [".".join(steps[:end]) for end in range(len(steps) - 1, 0, -1)]


def shapes(leaving: Any) -> list[tuple[int, ...]]:
    """Return the shapes of all tensors in what a part returns, without the batch."""
    if isinstance(leaving, Tensor):
        return [tuple(leaving.shape[1:])]
    if isinstance(leaving, tuple | list):
        return [shape for each in leaving for shape in shapes(each)]
    return []
