"""Weights from elsewhere: fetched once, checked, kept."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

from posewright.models.report import WeightsError

SCHEMES = ("http", "https", "file")
PIECE = 1 << 20  # bytes read at a time
PATIENCE = 30.0  # seconds without a byte


def fetch(url: str | Sequence[str], sha256: str | None = None, cache: str | Path | None = None) -> Path:
    """Return the local copy of a file, downloading it the first time.

    url: http, https or file; several are mirrors, tried in order. sha256: the content's hash in
    hexadecimal, or its first 8 digits or more, as in MMPose's file names; a kept copy is checked
    against it as well. cache: a folder; by default POSEWRIGHT_CACHE, or ~/.cache/posewright.

    A file appears in the cache only when it is whole and its hash is right. Raises WeightsError with
    every mirror's reason, ValueError for a `sha256` that is none.
    """
    mirrors = [url] if isinstance(url, str) else list(url)
    if not mirrors:
        raise ValueError("no address to fetch from")
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{8,64}", sha256):
        raise ValueError(f"{sha256!r} is no SHA-256: 8 to 64 hexadecimal digits are")
    expected = (sha256 or "").lower()
    path = cache_folder(cache) / kept_name(mirrors[0], expected)
    if path.is_file() and sha256_of(path).startswith(expected):
        return path
    reasons = []
    for mirror in mirrors:
        try:
            _download(mirror, path, expected)
            return path
        except (OSError, HTTPException, ValueError) as error:
            reasons.append(_reason(mirror, error))
    raise WeightsError("; ".join(reasons))


def cache_folder(cache: str | Path | None = None) -> Path:
    """Return the folder where fetched files are kept."""
    return Path(cache or os.environ.get("POSEWRIGHT_CACHE") or Path.home() / ".cache" / "posewright")


def kept_name(url: str, sha256: str = "") -> str:
    """Name the copy after the address' last part, with its content's hash or else its address' in front.

    >>> kept_name("https://example.org/a/..%2F..%2Fw32.pth?download=1", "2f1c9a77")
    '2f1c9a77-w32.pth'
    """
    last = re.split(r"[/\\]", unquote(urlsplit(url).path))[-1]
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", last).lstrip(".")[-100:]
    return f"{(sha256 or hashlib.sha256(url.encode()).hexdigest())[:8]}-{plain or 'weights'}"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _download(url: str, path: Path, expected: str) -> None:
    """Put a file in its place, whole and checked, or raise and leave nothing behind."""
    if urlsplit(url).scheme not in SCHEMES:
        raise ValueError(f"not an address that begins with {', '.join(SCHEMES)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with urlopen(url, timeout=PATIENCE) as response:
        number, name = tempfile.mkstemp(dir=path.parent, prefix=".fetching-")
        try:
            with os.fdopen(number, "wb") as file:
                found = _copy(response, file, path.name)
            if not found.startswith(expected):
                raise ValueError(f"its SHA-256 is {found[: len(expected)]}, not {expected}; it was not kept")
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)


def _copy(response: Any, file: Any, name: str) -> str:
    """Copy a download piece by piece, show how far it is, and return its SHA-256."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    promised = int(response.headers.get("Content-Length") or 0)
    digest, received = hashlib.sha256(), 0
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=promised or None)
        while piece := response.read(PIECE):
            file.write(piece)
            digest.update(piece)
            received += len(piece)
            progress.advance(task, len(piece))
    if promised and received != promised:
        raise ValueError(f"it ended after {received} of {promised} bytes")
    return digest.hexdigest()


def _reason(url: str, error: Exception) -> str:
    """Say in one line why an address gave nothing."""
    cause = error.reason if isinstance(error, URLError) and not hasattr(error, "code") else error
    return f"{url}: {cause}".replace("\n", " ")
