"""Weights of TensorFlow's layers, as Keras names them and lays them out, in PyTorch's names and layouts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEAVES = {
    "kernel": "weight",
    "depthwise_kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "bias": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
"""What a layer's arrays are called there and here."""

AXES = {("kernel", 4): (3, 2, 0, 1), ("depthwise_kernel", 4): (2, 3, 0, 1), ("kernel", 2): (1, 0)}
"""The order of axes that PyTorch has, by an array's name and number of axes.

Convolutions are (h, w, inputs, outputs) there, depthwise ones (h, w, channels, 1), and transposed ones
(h, w, outputs, inputs), which thus become PyTorch's (inputs, outputs, h, w); dense layers (inputs, outputs).
"""


def is_keras(names: Mapping[str, object]) -> bool:
    """Whether arrays are named layer/array, as Keras names them.

    >>> is_keras({"stem/kernel": 0, "stem/bias": 0}), is_keras({"stem.weight": 0})
    (True, False)
    """
    return bool(names) and all("/" in name and leaf_of(name) in LEAVES for name in names)


def leaf_of(name: str) -> str:
    """Return what an array is in its layer; TensorFlow's `:0` behind it is left out.

    >>> leaf_of("model/stem/kernel:0")
    'kernel'
    """
    return name.rpartition("/")[2].partition(":")[0]


def from_keras(arrays: Mapping[str, NDArray[np.generic]]) -> dict[str, Tensor]:
    """Return arrays named layer/array as tensors named layer.weight and so on, in PyTorch's layout.

    Half precision becomes single. Source: the layouts that Keras's documentation of its layers gives.

    >>> state = from_keras({"stem/kernel": np.zeros((3, 3, 8, 32), np.float16), "norm/moving_mean": np.zeros(32)})
    >>> {name: tuple(value.shape) for name, value in state.items()}
    {'stem.weight': (32, 8, 3, 3), 'norm.running_mean': (32,)}
    """
    state = {}
    for name, array in arrays.items():
        leaf = leaf_of(name)
        axes = AXES.get((leaf, array.ndim), range(array.ndim))
        values = torch.from_numpy(np.array(array.transpose(*axes), np.float32, order="C"))
        state[f"{name.rpartition('/')[0].replace('/', '.')}.{LEAVES[leaf]}"] = values
    return state


def read_hdf5(path: Path) -> dict[str, Tensor]:
    """Read what Keras saved as .h5, a whole model or its weights alone.

    Each layer is a group, in `model_weights` where there is more than weights, and holds its arrays under their whole
    names, as stem/stem/kernel:0. Links are not followed. Raises ValueError for arrays that are no layer's or lie in
    other files, ImportError where h5py is lacking.
    """
    try:
        import h5py
    except ImportError:
        raise ImportError('Keras\'s .h5 needs h5py: pip install "posewright[mpii]"') from None

    arrays: dict[str, NDArray[np.generic]] = {}

    def keep(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise ValueError(f"{name} lies in another file")
            arrays[name.partition("/")[2]] = item[()]

    with h5py.File(path, "r") as file:
        whole = isinstance(file.get("model_weights", getlink=True), h5py.HardLink)
        (file["model_weights"] if whole else file).visititems(keep)
    if not is_keras(arrays):
        raise ValueError("its arrays are not named as Keras names a layer's")
    return from_keras(arrays)
