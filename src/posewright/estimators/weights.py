"""Weights from elsewhere: fetched once, checked, kept with their hash."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

from rich.markup import escape

from posewright.estimators.arrived import why_not
from posewright.files import cache_folder, sha256_of, whole, write_whole
from posewright.models.report import WeightsError

SCHEMES = ("http", "https", "file")
PIECE = 1 << 20  # bytes read at a time
PATIENCE = 30.0  # seconds without a byte
LONGEST = 3600.0  # seconds that a download may take
LARGEST = 1 << 33  # bytes that it may have


def fetch(url: str | Sequence[str], sha256: str | None = None, cache: str | Path | None = None) -> Path:
    """Return the local copy of a file of weights, downloading it the first time.

    url: http, https or file; several are mirrors, tried in order. sha256: the content's hash in hexadecimal, or its
    first 8 digits or more; it may also stand behind the address as `#sha256=...`, and is read from names such as
    `w32-2f1c9a77.pth`. cache: a folder; by default POSEWRIGHT_CACHE, or ~/.cache/posewright.

    A file appears in the cache only when it is whole and its hash is right; where no hash is known it must be a
    file of weights as far as can be told. What it was is kept beside it as `NAME.sha256`: a copy that has changed is
    fetched anew, and one that comes with another hash than the first time is refused. Raises WeightsError with every
    mirror's reason, ValueError for a hash that is none.
    """
    mirrors = [url] if isinstance(url, str) else list(url)
    if not mirrors:
        raise ValueError("no address to fetch from")
    plain, asked = zip(*map(_split, mirrors), strict=True)
    expected = (sha256 or next(filter(None, asked), "")).lower()
    if (sha256 is not None or expected) and not re.fullmatch(r"[0-9a-f]{8,64}", expected):
        raise ValueError(
            f"{sha256 if sha256 is not None else expected!r} is no SHA-256: 8 to 64 hexadecimal digits are"
        )
    path = cache_folder(cache) / kept_name(plain[0], expected)
    known = expected or _remembered(path) or named_hash(plain[0])
    if path.is_file() and _is(path, known):
        return path
    reasons = []
    for mirror in plain:
        try:
            _download(mirror, path, known, asked=bool(expected))
            return path
        except (OSError, HTTPException, ValueError) as error:
            reasons.append(_reason(mirror, error))
    raise WeightsError("; ".join(reasons))


def named_hash(url: str) -> str:
    """Return the beginning of the hash that a file's name ends in, as PyTorch's and MMPose's do; "" without one.

    Eight digits that are a date are none.

    >>> named_hash("https://example.org/w32-2f1c9a77.pth"), named_hash("https://example.org/w32-20200708.pth")
    ('2f1c9a77', '')
    >>> named_hash("https://example.org/hrnet_w32_coco_256x192-c78dce93_20200708.pth")
    'c78dce93'
    """
    match = re.search(r"-([0-9a-f]{8,64})(?:_\d{8})?(?:\.[A-Za-z0-9]+)+$", unquote(urlsplit(url).path))
    return match[1] if match and not match[1].isdecimal() else ""


def _split(url: str) -> tuple[str, str]:
    """Take the hash off an address; raises ValueError for a fragment that is none."""
    plain, _, fragment = url.partition("#")
    if not fragment:
        return plain, ""
    kind, equals, value = fragment.partition("=")
    if kind != "sha256" or not equals:
        raise ValueError(f"{url}: what stands behind # must be sha256=..., not {fragment!r}")
    return plain, value or "nothing"


def _is(path: Path, known: str) -> bool:
    """Tell whether a copy is the one that is known; the first time that an old copy is looked at, it becomes known."""
    found = sha256_of(path)
    if not known and not why_not(path, _suffix(path.name)):
        _remember(path, found)
        return True
    return bool(known) and found.startswith(known)


def _remembered(path: Path) -> str:
    """Return the hash that a copy had when it came, "" where none is kept."""
    try:
        word = path.with_name(f"{path.name}.sha256").read_text(errors="replace").split()[:1]
    except OSError:
        return ""
    return word[0] if word and re.fullmatch(r"[0-9a-f]{64}", word[0]) else ""


def _remember(path: Path, found: str) -> None:
    """Keep a copy's hash beside it, as sha256sum writes it."""
    write_whole(path.with_name(f"{path.name}.sha256"), f"{found}  {path.name}\n".encode())


def _suffix(name: str) -> str:
    return Path(name).suffix.lower()


def kept_name(url: str, sha256: str = "") -> str:
    """Name the copy after the address' last part, with its content's hash or else its address' in front.

    >>> kept_name("https://example.org/a/..%2F..%2Fw32.pth?download=1", "2f1c9a77")
    '2f1c9a77-w32.pth'
    """
    last = re.split(r"[/\\]", unquote(urlsplit(url).path))[-1]
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", last).lstrip(".")[-100:]
    return f"{(sha256 or hashlib.sha256(url.encode()).hexdigest())[:8]}-{plain or 'weights'}"


def _download(url: str, path: Path, expected: str, asked: bool) -> None:
    """Put a file in its place, whole and checked, or raise and leave nothing behind; asked: the user named the hash."""
    _check_scheme(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    with urlopen(url, timeout=PATIENCE) as response:
        _check_scheme(response.geturl() or url)
        with whole(path) as partial:
            with partial.open("wb") as file:
                found = _copy(response, file, path.name)
            if not found.startswith(expected):
                again = "" if asked or not _remembered(path) else (
                    f", as the first time; where the new one is right, delete {path}.sha256")  # fmt: skip
                raise ValueError(f"its SHA-256 is {found[: len(expected)]}, not {expected}{again}; it was not kept")
            if not expected and (reason := why_not(partial, _suffix(path.name))):
                raise ValueError(f"{reason}; it was not kept")
        _remember(path, found)


def _check_scheme(url: str) -> None:
    if urlsplit(url).scheme not in SCHEMES:
        raise ValueError(f"not an address that begins with {', '.join(SCHEMES)}")


def _copy(response: Any, file: Any, name: str) -> str:
    """Copy a download piece by piece, show how far it is, and return its SHA-256."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    length = str(response.headers.get("Content-Length") or "")
    promised = int(length) if length.isdecimal() else 0
    digest, received, began = hashlib.sha256(), 0, time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(escape(name), total=promised or None)
        while piece := response.read1(PIECE) if max(promised, received) <= LARGEST else b"":
            file.write(piece)
            digest.update(piece)
            received += len(piece)
            progress.advance(task, len(piece))
            if time.monotonic() - began > LONGEST:
                raise ValueError(f"it had not ended after {LONGEST:g} seconds, with {received:,} bytes")
    if max(promised, received) > LARGEST:
        raise ValueError(f"it has more than {LARGEST:,} bytes")
    if promised and received != promised:
        raise ValueError(f"it ended after {received} of {promised} bytes")
    return digest.hexdigest()


def _reason(url: str, error: Exception) -> str:
    """Say in one line why an address gave nothing."""
    cause: object = error.reason if isinstance(error, URLError) and not hasattr(error, "code") else error
    if isinstance(cause, OSError) and cause.filename and cause.strerror and not hasattr(cause, "code"):
        cause = f"{cause.filename}: {cause.strerror}"
    return f"{url}: {cause}".replace("\n", " ")
