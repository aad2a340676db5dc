"""What tests of networks share: a vector names the original's parameters, which are drawn from those names."""

import json
import zlib

import numpy as np
import pytest
import torch


def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Draw a parameter from the checksum of its original name."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    kind = name.split(".")[-1]
    if kind == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if kind in ("running_mean", "bias") or not shape:
        values = 0.1 * rng.standard_normal(shape)
    elif kind == "running_var":
        values = rng.uniform(0.5, 1.5, shape)
    elif len(shape) == 1:
        values = rng.uniform(0.5, 1.0, shape)
    else:
        values = rng.standard_normal(shape) * np.sqrt(1.0 / np.prod(shape[1:]))
    return np.asarray(values, np.float32)


def picture(seed: int, height: int, width: int, channels: int = 3) -> np.ndarray:
    """Draw a smooth picture (1, C, H, W): in each channel the sum of six plane waves' products, halved."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    values = np.zeros((1, channels, height, width), np.float32)
    for channel in values[0]:
        for _ in range(6):
            (rate_y, rate_x), (start_y, start_x) = rng.uniform(0.005, 0.12, 2), rng.uniform(0, 2 * np.pi, 2)
            channel += np.sin(2 * np.pi * rate_y * y + start_y) * np.cos(2 * np.pi * rate_x * x + start_x)
    return values / 2


def state_of(vector: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Return the original's state dict, by its own names."""
    names, shapes = (json.loads(str(vector[key])) for key in ("names", "shapes"))
    return {name: torch.from_numpy(drawn(name, tuple(shape))) for name, shape in zip(names, shapes, strict=True)}


@pytest.fixture
def filled():
    """Return the original's state dict of a vector, by its own names."""
    return state_of


@pytest.fixture
def waves():
    """Draw the input of a vector from a seed, a height and a width."""
    return picture
