"""Damaged inputs by kind: whole small files, and changes that keep most of their structure."""

import copy
import io
import json
import random
import struct
import zlib

import cv2
import numpy as np
from scipy.io import savemat

NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    255,
    256,
    65535,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63,
    1e308,
    -1e308,
    float("nan"),
    float("inf"),
)
VALUES = (None, True, False, "", "x", "\x1b[31m", "../a.jpg", "/dev/zero", "a\0b", [], {}, [[]], {"a": 1}, *NUMBERS)
KEYPOINTS = ["nose", "left_eye", "right_eye"]


def picture(rng: random.Random) -> tuple[str, bytes]:
    suffix = rng.choice((".jpg", ".jpg", ".png", ".bmp", ".webp", ".tif"))
    shape = rng.choice(
        ((24, 32, 3), (24, 32)) if suffix in (".ppm", ".bmp", ".jpg") else ((24, 32, 3), (24, 32), (24, 32, 4))
    )
    pixels = np.random.default_rng(rng.randrange(99)).integers(0, 255, shape, np.uint8)
    if suffix in (".png", ".tif") and rng.random() < 0.3:
        pixels = pixels.astype(np.uint16) * rng.choice((1, 16, 257))
    return suffix, cv2.imencode(suffix, pixels)[1].tobytes()


def annotations(rng: random.Random) -> tuple[str, bytes]:
    content = {
        "images": [{"id": n, "file_name": f"{n}.jpg", "width": 32, "height": 24} for n in (1, 2)],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "keypoints": [3, 4, 2, 5, 6, 1, 0, 0, 0], "num_keypoints": 2,
             "bbox": [1, 2, 20, 18], "area": 300, "iscrowd": 0, "segmentation": [[1, 1, 9, 1, 9, 9]]}
            for n in (1, 2)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": KEYPOINTS, "skeleton": [[1, 2], [1, 3]]}],
    }  # fmt: skip
    return ".json", _json(rng, content)


def results(rng: random.Random) -> tuple[str, bytes]:
    content = [
        {
            "image_id": n,
            "category_id": 1,
            "keypoints": [3, 4, 0.9, 5, 6, 0.5, 0, 0, 0],
            "score": 0.7,
            "bbox": [1, 2, 9, 8],
        }
        for n in (1, 2)
    ]
    return ".json", _json(rng, content)


def matlab(rng: random.Random) -> tuple[str, bytes]:
    file = io.BytesIO()
    point = np.zeros(3, [("x", object), ("y", object), ("id", object)])
    for place in range(3):
        point[place] = (1.0, 2.0, place)
    person = {"annopoints": {"point": point}, "scale": 2.0, "objpos": {"x": 3, "y": 4}, "x1": 1}
    release = {"annolist": [{"image": {"name": "a.jpg"}, "annorect": person}] * 2, "img_train": [1, 0]}
    said = {"joints": np.arange(84.0).reshape(3, 14, 2), "RELEASE": release, "t": "abc", "e": np.zeros((0, 2))}
    savemat(file, said, do_compression=rng.random() < 0.3)
    return ".mat", file.getvalue()


def arrays(rng: random.Random) -> tuple[str, bytes]:
    file = io.BytesIO()
    save = np.savez_compressed if rng.random() < 0.5 else np.savez
    said = {"joints": np.zeros((2, 14, 3)), "name": np.array(["a.jpg", "b.jpg"]), "size_hw": np.ones((2, 2), int)}
    others = (np.zeros(0), np.zeros((2, 14, 2)), np.full((2, 14, 3), np.nan), np.array(["x"]), np.array(5),
              np.ones(2, bool),
              np.zeros((2, 14, 3), complex), np.full((2, 2), 2**62), np.zeros((2, 2), [("a", int)]))  # fmt: skip
    if rng.random() < 0.8:
        said[rng.choice(list(said))] = rng.choice(others)
    if rng.random() < 0.2:
        del said[rng.choice(list(said))]
    save(file, **said)
    return ".npz", file.getvalue()


def table(rng: random.Random) -> tuple[str, bytes]:
    rows = ["image,person,score," + ",".join(f"{name}_{axis}" for name in KEYPOINTS for axis in ("x", "y", "score"))]
    rows += [f"{n}.jpg,0,0.5," + ",".join(str(rng.choice((1, 2.5, 3, 4))) for _ in range(9)) for n in (1, 2)]
    cells = [row.split(",") for row in rows]
    for _ in range(rng.choice((0, 1, 1, 2))):
        row = rng.choice(cells)
        row[rng.randrange(len(row))] = str(rng.choice((*VALUES, '"', "1,2", "nose_x", "\ufeff")))
    rows = [",".join(row) for row in cells]
    return ".csv", "\n".join(rows).encode("utf-8", "replace")


def boxes(rng: random.Random) -> tuple[str, bytes]:
    content = [{"image_id": "a.jpg", "category_id": 1, "bbox": [1, 2, 9, 8], "score": 0.7}] * 2
    return ".json", _json(rng, content if rng.random() < 0.5 else {"images": [], "annotations": content})


KINDS = {
    "picture": picture, "annotations": annotations, "results": results, "matlab": matlab, "arrays": arrays,
    "table": table, "boxes": boxes,
}  # fmt: skip


def damaged(rng: random.Random, kind: str) -> tuple[str, bytes]:
    """Return a file of a kind, its ending and its bytes, with one to eight changes; now and then with none."""
    suffix, data = KINDS[kind](rng)
    content = bytearray(data)
    rarely = kind not in ("picture", "matlab") and rng.random() < 0.8  # their structure is changed already
    for _ in range(0 if rarely else rng.choice((0, 1, 1, 1, 2, 3, 8))):
        _change(rng, content)
    return suffix, bytes(content)


def _change(rng: random.Random, data: bytearray) -> None:
    place, how = rng.randrange(len(data) or 1), rng.randrange(7)
    if not data:
        data += b"x"
    elif how == 0:
        data[place] = rng.randrange(256)
    elif how == 1:
        data[place] ^= 1 << rng.randrange(8)
    elif how == 2:
        start = place & ~3
        data[start : start + 4] = struct.pack("<I", int(rng.choice(NUMBERS[:11])) & 0xFFFFFFFF)
    elif how == 3 and rng.random() < 0.3:
        del data[place:]
    elif how == 4:
        other = rng.randrange(len(data))
        data[place : place + 8] = data[other : other + 8]
    elif how == 5:
        data[place:place] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 9)))
    elif how == 6:
        data[place : place + 4] = struct.pack(">I", int(rng.choice(NUMBERS[:11])) & 0xFFFFFFFF)


def _json(rng: random.Random, content: object) -> bytes:
    """Write a JSON file of which some values are of other kinds, missing, or there twice."""
    content = copy.deepcopy(content)
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        _misplace(rng, content)
    text = json.dumps(content)
    return zlib.compress(text.encode(), wbits=31) if rng.random() < 0.1 else text.encode()


def _misplace(rng: random.Random, node: object) -> None:
    """Walk down to a random place and put something else there."""
    while isinstance(node, dict | list) and node:
        key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        inner = node[key]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.75:
            node = inner
        elif rng.random() < 0.2:
            del node[key]
            return
        else:
            node[key] = copy.deepcopy(rng.choice(VALUES))
            return
