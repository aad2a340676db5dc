"""Time of decoding 32 x 17 maps of 64x48, beside blurring every whole map with OpenCV first.

    python benchmarks/decode.py

All run in one process on one thread, one after the other in turn, so that what disturbs one disturbs all; the
median of the rounds counts. Ratios are to the plain way of the same method: the same decode after
cv2.GaussianBlur of each map. Encoding is in milliseconds a person.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from time import process_time

import cv2
import numpy as np

from posewright.codecs.dark import Dark, decode_dark
from posewright.codecs.gaussian import Gaussian, decode_hrnet
from posewright.codecs.megvii import Megvii, megvii_decode
from posewright.codecs.udp import Udp, UdpOffsets, udp_decode
from posewright.scene import Person
from posewright.skeleton import COCO

PEOPLE, ROUNDS = 32, 60


def plain_dark(maps: np.ndarray, kernel: int = 11) -> np.ndarray:
    """DARK by whole maps: blur each inside a border of zeros, scale, logarithm, differences, step."""
    h, w = maps.shape[-2:]
    rim, places = kernel // 2, []
    for heat in maps.reshape(-1, h, w):
        y, x = np.unravel_index(heat.argmax(), heat.shape)
        blurred = cv2.GaussianBlur(np.pad(heat, rim), (kernel, kernel), 0)[rim:-rim, rim:-rim]
        log = np.log(np.maximum(blurred * (heat.max() / blurred.max()), 1e-10))
        place = np.array([x, y], float)
        if 1 < x < w - 2 and 1 < y < h - 2:
            slope = np.array([log[y, x + 1] - log[y, x - 1], log[y + 1, x] - log[y - 1, x]]) / 2
            xx = (log[y, x + 2] - 2 * log[y, x] + log[y, x - 2]) / 4
            yy = (log[y + 2, x] - 2 * log[y, x] + log[y - 2, x]) / 4
            xy = (log[y + 1, x + 1] - log[y - 1, x + 1] - log[y + 1, x - 1] + log[y - 1, x - 1]) / 4
            place -= np.linalg.solve([[xx, xy], [xy, yy]], slope)
        places.append(place)
    return np.array(places).reshape(*maps.shape[:2], 2)


def plain_udp(maps: np.ndarray, kernel: int = 13) -> np.ndarray:
    """UDP by whole maps: blur, cut and take the logarithm of each, then differences on repeated edges."""
    h, w = maps.shape[-2:]
    places = []
    for heat in maps.reshape(-1, h, w):
        y, x = np.unravel_index(heat.argmax(), heat.shape)
        log = np.log(np.clip(cv2.GaussianBlur(heat, (kernel, kernel), 0), 0.001, 50))
        near = np.pad(log, 1, mode="edge")[y : y + 3, x : x + 3]
        slope = np.array([near[1, 2] - near[1, 0], near[2, 1] - near[0, 1]]) / 2
        xx, yy = near[1, 2] - 2 * near[1, 1] + near[1, 0], near[2, 1] - 2 * near[1, 1] + near[0, 1]
        xy = (near[2, 2] - near[1, 2] - near[2, 1] + 2 * near[1, 1] - near[1, 0] - near[0, 1] + near[0, 0]) / 2
        hessian = np.array([[xx, xy], [xy, yy]]) + np.finfo(np.float32).eps * np.eye(2)
        places.append(np.array([x, y]) - np.linalg.solve(hessian, slope))
    return np.array(places).reshape(*maps.shape[:2], 2)


def plain_megvii(maps: np.ndarray, kernel: int = 5) -> np.ndarray:
    """Megvii by whole maps: blur each inside a border of zeros in double precision, and go from peak to runner-up."""
    h, w = maps.shape[-2:]
    rim, places = kernel // 2, []
    for heat in maps.reshape(-1, h, w):
        blurred = cv2.GaussianBlur(np.pad(heat.astype(float), 2 * rim), (kernel, kernel), 0)[rim:-rim, rim:-rim]
        y, x = np.unravel_index(blurred.argmax(), blurred.shape)
        blurred[y, x] = 0
        below, beside = np.unravel_index(blurred.argmax(), blurred.shape)
        away = np.array([beside - x, below - y])
        step = 0.25 * away / max(np.hypot(*away), 1)
        places.append(np.clip(np.array([x, y]) - rim + step, 0, (w - 1, h - 1)))
    return np.array(places).reshape(*maps.shape[:2], 2)


def only_blur(maps: np.ndarray, kernel: int = 11) -> None:
    """The blur alone, the least that any decode by whole maps costs."""
    for heat in maps.reshape(-1, *maps.shape[-2:]):
        cv2.GaussianBlur(heat, (kernel, kernel), 0)


def milliseconds(contenders: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median time of each contender, measured in turn."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, contender in contenders.items():
            start = process_time()
            contender()
            times[name].append(1000 * (process_time() - start))
    return {name: float(np.median(found)) for name, found in times.items()}


def main() -> None:
    """Check that both ways agree, then print their times and ratios."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    people = [Person(rng.uniform(20, (172, 236), (17, 2))) for _ in range(PEOPLE)]
    codecs = [codec(COCO) for codec in (Gaussian, Dark, Udp, UdpOffsets, Megvii)]
    fields = {codec: codec.encode(people) for codec in codecs}
    maps = np.ascontiguousarray(Dark(COCO).encode(people).maps + rng.normal(0, 0.01, (PEOPLE, 17, 64, 48)), np.float32)
    np.testing.assert_allclose(decode_dark(maps)[0], plain_dark(maps), atol=1e-4)
    np.testing.assert_allclose(udp_decode(maps)[0], plain_udp(maps), atol=1e-4)
    np.testing.assert_allclose(megvii_decode(maps)[0], plain_megvii(maps), atol=1e-12)

    found = milliseconds(
        {
            "hrnet": lambda: decode_hrnet(maps),
            "dark": lambda: decode_dark(maps),
            "dark, whole maps": lambda: plain_dark(maps),
            "udp": lambda: udp_decode(maps),
            "udp, whole maps": lambda: plain_udp(maps),
            "megvii": lambda: megvii_decode(maps),
            "megvii, whole maps": lambda: plain_megvii(maps),
            "blur alone, whole maps": lambda: only_blur(maps),
        }
    )
    print(f"decode {PEOPLE} x 17 maps of 64x48, ms (median of {ROUNDS})")
    for name, time in found.items():
        print(f"  {name:24}{time:8.2f}")
    for name in ("dark", "udp", "megvii"):
        plain, blur = found[f"{name}, whole maps"] / found[name], found["blur alone, whole maps"] / found[name]
        print(f"  {name}: {plain:.1f} times as fast as by whole maps, {blur:.1f} times as fast as their blur alone")

    for verb in ("decode", "encode"):
        print(f"codecs, {verb}, ms a person")
        jobs = {
            type(codec).__name__: (lambda c=codec: c.decode(fields[c]))
            if verb == "decode"
            else (lambda c=codec: c.encode(people))
            for codec in codecs
        }
        for name, time in milliseconds(jobs).items():
            print(f"  {name:24}{time / PEOPLE:8.4f}")


if __name__ == "__main__":
    main()
