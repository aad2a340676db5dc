"""What fp32, bf16 and int8 cost: one network by torch, ONNX Runtime and OpenVINO.

    python benchmarks/precision.py [--recipe hrnet_w32_coco] [--rounds N]

CPU seconds of one thread, all ways in turn in one process; a ratio is the median over rounds of what eager torch took
in the same round, which is how the networks' authors run theirs. Weights are those of training's start, or the embedded
ones of `pose` and `default`: what int8 loses is not asked here (`posewright quantize` tells).
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from posewright.augment.jitter import Aim
from posewright.codecs.codec import Codec
from posewright.estimators import runtimes
from posewright.estimators.embedded import EMBEDDED, embedded_file
from posewright.estimators.runtimes import Network, int8, metadata
from posewright.estimators.runtimes.torch import network_of
from posewright.models.pixels import FromPixels
from posewright.picture import Pixels
from posewright.recipes import recipe_named
from posewright.train import export
from posewright.train.export.parity import trial_pictures

FEATURES = ("avx512_bf16", "amx_bf16", "avx512_vnni", "avx_vnni", "amx_int8")


def processor() -> str:
    """Name the processor, and what of 16 and 8 bits it has."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = told.get("flags", "").split()
    known = ", ".join(feature for feature in FEATURES if feature in flags)
    return f"{told.get('model name', 'unknown')} ({known or 'none of ' + ', '.join(FEATURES)})"


def exported(name: str, folder: Path) -> Path:
    """Return a recipe's network as a file: the embedded one, or one with first weights."""
    if name in EMBEDDED:
        return embedded_file(name)
    recipe = recipe_named(name)
    torch.manual_seed(0)
    export.onnx(recipe.network(), recipe.codec, {"recipe": name}, folder / "fp32.onnx", aim=recipe.aim)
    return folder / "fp32.onnx"


def whole_numbers(source: Path, codec: Codec, aim: Aim, padding: float, path: Path) -> None:
    """Write the network in int8, its ranges by 32 pictures of the synthetic world."""
    model = int8.quantised(source, trial_pictures(codec, aim, padding, 32))
    about = metadata.read(source) | {"precision": "int8", "weights": int8.hash_of(model),
                                     "state": dict.fromkeys(int8.names_of(model))}  # fmt: skip
    path.write_bytes(metadata.sealed(model, about))


def ways(name: str, folder: Path) -> Iterator[tuple[str, Network]]:
    """Yield every way to run a network, eager torch first."""
    source, small = exported(name, folder), folder / "int8.onnx"
    facts = metadata.facts(source)
    module = FromPixels(recipe_named(name).network(), facts.normal["mean"], facts.normal["std"]).eval()
    whole_numbers(source, facts.codec, facts.aim, facts.padding, small)
    yield "torch, eager, fp32", network_of(module, facts.codec)
    yield "torch, eager, bf16", network_of(module, facts.codec, "bf16")
    for backend in ("onnxruntime", "openvino"):
        yield f"{backend}, fp32", runtimes.load(source, backend, threads=1)
        if backend == "openvino":
            yield f"{backend}, bf16", runtimes.load(source, backend, "bf16", threads=1)
        yield f"{backend}, int8", runtimes.load(small, backend, threads=1)
        if backend == "openvino":
            yield f"{backend}, int8, else bf16", runtimes.load(small, backend, "bf16", threads=1)


def seconds(network: Callable[[Pixels], object], pixels: Pixels) -> float:
    """CPU seconds of one call."""
    begun = time.process_time()
    network(pixels)
    return time.process_time() - begun


def main() -> None:
    """Print a table: ms a crop, times eager, for 1 and 8 crops a call."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--recipe", default="hrnet_w32_coco")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{options.recipe} on {processor()}; one thread, medians of {options.rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        networks = dict(ways(options.recipe, Path(folder)))
        width, height = next(iter(networks.values())).codec.size
        crops = np.random.default_rng(0).integers(0, 256, (8, height, width, 3)).astype(np.uint8)
        for batch in (1, 8):
            some = crops[:batch]
            for network in networks.values():
                network(some)
            rounds = [[seconds(network, some) for network in networks.values()] for _ in range(options.rounds)]
            for place, name in enumerate(networks):
                took = statistics.median(one[place] for one in rounds) / batch
                times = statistics.median(one[0] / one[place] for one in rounds)
                print(f"batch {batch}  {name:25} {1e3 * took:7.1f} ms a crop  x{times:.2f}", flush=True)


if __name__ == "__main__":
    main()
