"""Photographs that show nobody, for the detector to learn from, collected from packages of Debian 12.

    python benchmarks/negatives.py DIR [--packages FOLDER]

`negatives.txt` beside this file lists them, by package and folder; all were looked at, and those with people, statues
or pictures of people left out. Each package names its pictures' terms in /usr/share/doc/PACKAGE/copyright.
Writes DIR/negatives (photographs, JPEG, the longer side at most 400 px) and DIR/cut_outs (things without a background,
PNG, at most 300 px), as `posewright train person_negatives --data DIR` reads them. Packages are fetched by `apt-get
download` where FOLDER has not got them.
"""

from __future__ import annotations

import argparse
import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

LISTED = Path(__file__).with_name("negatives.txt")
INNER = "gcompris/src/activities/"
"""Where GCompris's bundles of resources keep their pictures."""
PHOTOGRAPH, CUT_OUT = 400, 300


def listed() -> dict[str, list[tuple[str, str]]]:
    """Return (folder, name) of every picture, by package."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in LISTED.read_text().splitlines():
        package, folder, *names = line.split()
        found.setdefault(package, []).extend((folder, name) for name in names)
    return found


def unpacked(package: str, packages: Path) -> Path:
    """Return the folder of a package's files."""
    folder = packages / package
    if not folder.exists():
        if not any(packages.glob(f"{package}_*.deb")):
            subprocess.run(["apt-get", "download", package], cwd=packages, check=True)
        subprocess.run(["dpkg-deb", "-x", str(next(packages.glob(f"{package}_*.deb"))), str(folder)], check=True)
    return folder


def content(folder: Path, inside: str, name: str) -> bytes:
    """Return a picture's bytes: a file, or FOLDER/BUNDLE.rcc:PATH for one in a bundle of Qt's resources."""
    bundle, _, path = inside.partition(":")
    if not path:
        return (folder / inside / name).read_bytes()
    return dict(resources((folder / bundle).read_bytes()))[f"{INNER}{path}/{name}"]


def resources(data: bytes, node: int = 0, path: str = "") -> Iterator[tuple[str, bytes]]:
    """Walk the tree of a Qt resource bundle (`rcc --binary`, versions 1 to 3): paths and contents."""
    _, version, tree, blobs, names = struct.unpack(">4sIIII", data[:20])
    at = tree + node * (14 if version < 2 else 22)
    name, flags = struct.unpack(">IH", data[at : at + 6])
    if node:
        length = struct.unpack(">H", data[names + name : names + name + 2])[0]
        own = data[names + name + 6 : names + name + 6 + 2 * length].decode("utf-16-be")
        path = f"{path}/{own}" if path else own
    first, second = struct.unpack(">II", data[at + 6 : at + 14])
    if flags & 2:
        for child in range(second, second + first):
            yield from resources(data, child, path)
        return
    size = struct.unpack(">I", data[blobs + second : blobs + second + 4])[0]
    blob = data[blobs + second + 4 : blobs + second + 4 + size]
    if not flags & 4:
        yield path, zlib.decompress(blob[4:]) if flags & 1 else blob


def kept(data: bytes, out: Path, name: str, cut_out: bool) -> None:
    """Write one picture, no larger than is needed."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED if cut_out else cv2.IMREAD_COLOR)
    if cut_out and (pixels.ndim != 3 or pixels.shape[2] != 4 or pixels.dtype != np.uint8):
        raise SystemExit(f"{name}: has no alpha channel of 8 bits")
    scale = min((CUT_OUT if cut_out else PHOTOGRAPH) / max(pixels.shape[:2]), 1)
    if scale < 1:
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    kind = "cut_outs" if cut_out else "negatives"
    (out / kind).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out / kind / f"{name}.{'png' if cut_out else 'jpg'}"), pixels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--packages", type=Path)
    chosen = parser.parse_args()
    packages = chosen.packages or chosen.out / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    for package, pictures in listed().items():
        folder = unpacked(package, packages)
        for number, (inside, name) in enumerate(pictures):
            short = f"{package.split('-')[0]}_{number:03d}_{Path(name).stem.replace(' ', '_')}"
            kept(content(folder, inside, name), chosen.out, short, package == "tuxpaint-stamps-default")


if __name__ == "__main__":
    main()
