"""torch: run a module that is being trained, or an exported file's weights in the module they came from."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from posewright.codecs.codec import Codec
from posewright.estimators.runtimes import metadata
from posewright.estimators.runtimes.checks import checked
from posewright.estimators.runtimes.network import Given, Network, Run, described
from posewright.models.pixels import FromPixels
from posewright.picture import Pixels
from posewright.scene import Floats
from posewright.warp import Size, Warp, shrunk

Precision = Literal["fp32", "bf16"]
CLOSE = 1
"""Levels of 255 that `crops` and OpenCV 5 differ by at most, by rounding; OpenCV 4 takes places in 32nds of a px."""
FORKED = (
    "this process was forked from the one that loaded the network, and torch's threads are not in it, so that it may "
    "wait forever: load after the fork, start processes by spawn, or call torch.set_num_threads(1)"
)
"""What is said in place of a hang."""


def network_of(module: FromPixels, codec: Codec, precision: Precision = "fp32", **said: Any) -> Network:
    """Return a module as a network; said: further fields of `Network` (card, protocol, aim, padding).

    It runs on the module's device, and puts it into evaluation mode.
    """
    on = module.mean.device
    protocol = {
        "backend": f"torch {torch.__version__}",
        "precision": precision,
        **_told(on),
        **said.pop("protocol", {}),
    }
    return Network(_run(module, precision), codec, protocol=protocol, cut=_cutting(on), **said)


def load(path: Path, build: Callable[[], nn.Module], precision: Precision = "fp32", device: str = "cpu") -> Network:
    """Load an exported file's weights into the module that `build` makes.

    build: what made the network that was exported, as `Recipe.network`. Raises ModelFileError where the file
    is no network of posewright's or its weights do not fit the module.
    """
    facts, graph = checked(path)
    network = build()
    try:
        network.load_state_dict(weights_of(path, facts))
    except RuntimeError as error:
        raise metadata.ModelFileError(f"{path}: its weights do not fit: {error}") from None
    module = FromPixels(network, facts.normal["mean"], facts.normal["std"]).to(device)
    backend = f"torch {torch.__version__}"
    on, run = module.mean.device, _run(module, precision)
    return described(
        facts, run, _cutting(on), backend=backend, precision=precision, file=graph.sha256, **_told(on)
    )  # fmt: skip


def device() -> str:
    """Name where networks run: a GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def _told(on: torch.device) -> dict[str, str]:
    return {} if on.type == "cpu" else {"device": on.type}


def _cutting(on: torch.device) -> Any:
    """Return what cuts crops where a network runs; on a processor OpenCV is quicker."""
    return None if on.type == "cpu" else partial(crops, device=on)


@torch.inference_mode()
def crops(pixels: Pixels, warps: Sequence[Warp], device: torch.device | str = "cpu") -> Pixels:
    """Cut crops (N, h, w, 3) of one size out of a picture (H, W, 3), all at once on a device.

    As `Warp.image` does, bilinear, 0 outside, and where it shrinks much from means of blocks: no value is more than
    CLOSE levels from that one's.
    """
    width, height = warps[0].size
    found = torch.empty((len(warps), height, width, 3), dtype=torch.uint8, device=device)
    for by in sorted({warp.shrinks for warp in warps}):
        at = [place for place, warp in enumerate(warps) if warp.shrinks == by]
        source, smaller = (pixels, np.eye(3)) if by == 1 else shrunk(pixels, by)
        shape = np.array(source.shape[1::-1])
        shown = torch.from_numpy(np.ascontiguousarray(source)).to(device).permute(2, 0, 1)[None].float()
        places = np.stack([_sources(smaller @ np.linalg.inv(warps[place].matrix), (width, height)) for place in at])
        grid = torch.from_numpy(((2 * places + 1) / shape - 1).astype(np.float32)).to(device)
        cut = grid_sample(shown, grid.reshape(1, -1, width, 2), align_corners=False)[0]
        levels = cut.reshape(3, len(at), height, width).permute(1, 2, 3, 0).round()
        found[torch.tensor(at, device=device)] = levels.clamp(0, 255).to(torch.uint8)
    return found.cpu().numpy()


def _sources(scene_from_crop: Floats, size: Size) -> Floats:
    """(h, w, 2) px of the picture where each pixel of a crop lies."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    return np.stack([x, y], axis=-1) @ scene_from_crop[:2, :2].T + scene_from_crop[:2, 2]


def weights_of(path: Path, facts: metadata.Facts | None = None) -> dict[str, Tensor]:
    """Return the state dict of the network that was exported, to the bit and in its order.

    Weights that are stored in half precision come in single. What the network's answer does not need, as a
    BatchNorm's count of batches, lies in the metadata. facts: these, where they are checked already. Raises
    ModelFileError where the file is no network of posewright's.
    """
    import onnx

    facts = facts or checked(path)[0]
    if facts.precision != "fp32":
        raise metadata.ModelFileError(
            f"{path}: is in {facts.precision}, which torch neither runs nor learns from; it is for onnxruntime and "
            "openvino, and what it was made of for torch"
        )
    stored = {one.name: one for one in onnx.load(path).graph.initializer}
    state = {}
    for name, rest in facts.state.items():
        array = onnx.numpy_helper.to_array(stored[f"network.{name}"]) if rest is None else _array(*rest)
        state[name] = torch.from_numpy(array.astype(np.float32 if array.dtype == np.float16 else array.dtype))
    return state


def _array(kind: str, shape: list[int], data: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(data), kind).reshape(shape)


def _run(module: FromPixels, precision: Precision) -> Run:
    """Return how a module answers pixels with numpy fields."""
    module.eval()
    process = os.getpid()

    @torch.inference_mode()
    def run(pixels: Pixels, *given: Given) -> list[Any]:
        if os.getpid() != process and torch.get_num_threads() > 1:
            raise RuntimeError(FORKED)
        device = module.mean.device
        told = [torch.from_numpy(np.ascontiguousarray(one)).to(device) for one in (pixels, *given)]
        half = torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
        with half:
            stages = module(*told)
        return [type(stage)(*(None if x is None else x.float().cpu().numpy() for x in stage)) for stage in stages]

    return run
