"""Weight transfer: a child begins with what of its parent's weights fits (McNally et al. 2020, arXiv:2011.08446).

The rules are those of the authors' code (commit ea05b81), where they depart from the paper's figure as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

BLOCK = re.compile(r"blocks\.block\d[a-z]\.(?P<layer>.+)")


def inherited(child: Mapping[str, Tensor], parent: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a child's state with what fits of its parent's.

    A block that the parent has not, as one repeat more, takes after the parent's last block of the last module, and
    not after its own module's.
    """
    last = {found["layer"]: name for name in sorted(parent) if (found := BLOCK.fullmatch(name))}
    state = {}
    for name, own in child.items():
        block = BLOCK.fullmatch(name)
        source = name if name in parent or block is None else last.get(block["layer"], name)
        state[name] = transferred(parent[source], own) if source in parent else own
    return state


def transferred(parent: Tensor, child: Tensor) -> Tensor:
    """Return the child's array with what fits of the parent's in it; kernels (., ., k, k) or vectors (C,).

    Arrays of one shape are copied. Of others the channels that both have are, kernels middle on middle, and the rest
    is as it was. A vector is cut, or filled up with the mean of the parent's, as NumPy adds it up. Where only the
    kernel's side differs nothing is copied, so no change of a channel-wise kernel passes anything on: the paper's
    figure copies the overlap.
    """
    if parent.shape == child.shape:
        return parent.clone()
    if child.dim() == 1:
        padded = torch.full_like(child, float(parent.cpu().numpy().mean()))
        common = min(len(parent), len(child))
        padded[:common] = parent[:common]
        return padded
    result = child.clone()
    if parent.shape[:2] != child.shape[:2]:
        rows, columns = (min(two) for two in zip(parent.shape[:2], child.shape[:2], strict=True))
        side = min(parent.shape[-1], child.shape[-1])
        to, of = (slice((whole - side) // 2, (whole + side) // 2) for whole in (child.shape[-1], parent.shape[-1]))
        result[:rows, :columns, to, to] = parent[:rows, :columns, of, of]
    return result
