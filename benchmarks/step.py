"""What bfloat16 and channels_last save in a training step: HRNet-W32, 8 crops of 96x128, one thread.

    python benchmarks/step.py [rounds]

The forms take turns in one process, and the ratio is the median over the rounds of process CPU time.
Yardstick, measured on one core of a 4 GHz Zen 5 with AVX512-BF16: 1.63 for the last form against the first.
"""

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from posewright.fields import Heatmaps
from posewright.losses.maps import mean_squared_error
from posewright.models.hrnet import hrnet_w32
from posewright.models.pixels import FromPixels
from posewright.train import Machine

BATCH, HEIGHT, WIDTH, KEYPOINTS = 8, 128, 96, 17


def step(precision: str, layout: torch.memory_format) -> Callable[[], None]:
    """Return a function that takes one training step."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    machine = Machine(device="cpu", precision=precision)
    module = FromPixels(hrnet_w32(KEYPOINTS)).to(memory_format=layout).train()
    optimiser = torch.optim.AdamW(module.parameters(), lr=1e-3, weight_decay=0.0, fused=True)
    pixels = torch.from_numpy(rng.integers(0, 256, (BATCH, HEIGHT, WIDTH, 3), dtype=np.uint8))
    maps = torch.from_numpy(rng.random((BATCH, KEYPOINTS, HEIGHT // 4, WIDTH // 4), dtype=np.float32))
    target = Heatmaps(maps, torch.ones(BATCH, KEYPOINTS))

    def take() -> None:
        with machine.half():
            answer = module(pixels if layout == torch.channels_last else _planes(pixels))
        mean_squared_error(answer, target).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return take


def _planes(pixels: torch.Tensor) -> torch.Tensor:
    """Return (B, H, W, 3) pixels whose memory holds a plane a channel."""
    return pixels.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)


def main() -> None:
    """Print the CPU time of each form beside the first."""
    torch.set_num_threads(1)
    forms = {
        "fp32": step("fp32", torch.contiguous_format),
        "fp32 channels_last": step("fp32", torch.channels_last),
        "bf16": step("bf16", torch.contiguous_format),
        "bf16 channels_last": step("bf16", torch.channels_last),
    }
    times: dict[str, list[float]] = {name: [] for name in forms}
    for number in range(int(sys.argv[1]) + 1 if len(sys.argv) > 1 else 6):
        for name, take in forms.items():
            start = time.process_time()
            take()
            if number:  # the first round warms up
                times[name].append(time.process_time() - start)
    for name, taken in times.items():
        ratios = [one / other for one, other in zip(times["fp32"], taken, strict=True)]
        print(f"{name:20} {1000 * statistics.median(taken):6.0f} ms a step, {statistics.median(ratios):.2f} x fp32")


if __name__ == "__main__":
    main()
