"""Boards that cameras are calibrated by: chessboards and ChArUco boards, found in pictures by OpenCV."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from posewright.datasets import videos
from posewright.datasets.inputs import VIDEO_SUFFIXES, Unreadable, scenes_from
from posewright.datasets.records import DataError
from posewright.multiview.detections.predicted import frame_number
from posewright.picture import Pixels
from posewright.warp import Size

Floats = NDArray[np.float64]

FORMS = "chessboard:7x4:60 (inner corners across x down: side of a square, mm) or charuco:5x7:54:40[:DICT_4X4_50]"
FEWEST_CORNERS = 6
"""Corners of a board that must be found for a picture to count."""
MOST_FRAMES = 150
"""Frames of a video that are looked at, evenly spread."""


@dataclass(frozen=True)
class Board:
    """Describe a flat board: inner corners across and down, the side of a square in mm, and for ChArUco its markers."""

    across: int
    down: int
    square: float
    marker: float = 0.0
    dictionary: str = ""

    @property
    def points(self) -> Floats:
        """(N, 3) mm: the inner corners, x to the right, y down, z into the board."""
        y, x = np.mgrid[: self.down, : self.across]
        return np.stack([x, y, 0 * x], -1).reshape(-1, 3) * self.square

    @property
    def ambiguous(self) -> bool:
        """Whether it looks the same when it is turned by half, so that two cameras may take it differently."""
        return not self.marker and (self.across + self.down) % 2 == 0


class Sightings(NamedTuple):
    """What the cameras saw of a board: xy (V, F, N, 2) px, NaN where not found, in frames (F,) by their numbers."""

    cameras: tuple[str, ...]
    frames: NDArray[np.int_]
    xy: Floats
    sizes: tuple[Size, ...]
    notes: tuple[str, ...] = ()


def board_by(text: str) -> Board:
    """Return the board that a user describes; raises ValueError that shows the forms.

    >>> board_by("charuco:5x7:54:40").across
    4
    """
    form = re.fullmatch(r"(chessboard|charuco):(\d+)x(\d+):([\d.]+)(?::([\d.]+))?(?::(DICT_\w+))?", text)
    try:
        kind, across, down, *lengths = form.groups()[:5] if form else ("", 0, 0)
        square, marker = (float(v) if v else 0.0 for v in lengths) if form else (0.0, 0.0)
    except ValueError:
        form, square, marker = None, 0.0, 0.0
    dictionary = (form.group(6) if form else None) or "DICT_4X4_50"
    if not form or square <= 0 or min(int(across), int(down)) < 3 or (kind == "charuco") != (0 < marker < square):
        raise ValueError(f"--board must be {FORMS}, not {text!r}")
    if kind == "chessboard":
        return Board(int(across), int(down), square)
    if not hasattr(cv2.aruco, dictionary):
        raise ValueError(f"--board: OpenCV has no markers {dictionary}; it has DICT_4X4_50, DICT_5X5_100, ...")
    return Board(int(across) - 1, int(down) - 1, square, marker, dictionary)


def find_board(board: Board, pixels: Pixels) -> Floats | None:
    """Return the board's inner corners (N, 2) px in the order of `Board.points`, NaN where hidden; None without any."""
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    found = _markers(board, grey) if board.marker else _chessboard(board, grey)
    return found if found is not None and np.isfinite(found[:, 0]).sum() >= FEWEST_CORNERS else None


def look(board: Board, paths: Sequence[Path], track: Any = iter) -> Sightings:
    """Find a board in one path a camera, videos or folders of pictures, whose numbers say what was taken together.

    Of videos some MOST_FRAMES frames are looked at, the same of all. track wraps the pictures, to show progress.
    Raises DataError where a path is missing, or a camera shows the board nowhere.
    """
    step = max((_apart(path) for path in paths), default=1)
    found: list[dict[int, Floats]] = []
    sizes, notes = [], []
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: no such file or folder")
        seen, size, failed = _look(board, path, step, track)
        if not seen:
            raise DataError(f"{path}: the board is found in none of its pictures{failed}; is it {_told(board)}?")
        found.append(seen)
        sizes.append(size)
        notes += [f"{path.name}: some pictures could not be read{failed}"] if failed else []
    frames = np.array(sorted(set().union(*found)))
    xy = np.full((len(found), len(frames), len(board.points), 2), np.nan)
    for v, seen in enumerate(found):
        for number, corners in seen.items():
            xy[v, np.searchsorted(frames, number)] = corners
    return Sightings(tuple(_name(path) for path in paths), frames, xy, tuple(sizes), tuple(notes))


def _name(path: Path) -> str:
    return path.stem if path.is_file() else path.name


def _apart(path: Path) -> int:
    """How many frames of a video lie between two that are looked at."""
    files = [path] if path.is_file() else [f for f in path.rglob("*") if f.suffix.lower() in VIDEO_SUFFIXES]
    return max([1, *(videos.packets(f) // MOST_FRAMES for f in files if f.suffix.lower() in VIDEO_SUFFIXES)])


def _look(board: Board, path: Path, step: int, track: Any) -> tuple[dict[int, Floats], Size, str]:
    seen: dict[int, Floats] = {}
    size: Size = (0, 0)
    failed = ""
    for number, pixels in track(_numbered(path)):
        if isinstance(pixels, str):
            failed = failed or f" ({pixels})"
            continue
        if number % step:
            continue
        own = (pixels.shape[1], pixels.shape[0])
        if size not in ((0, 0), own):
            raise DataError(f"{path}: pictures of {own[0]}x{own[1]} beside others of {size[0]}x{size[1]} px")
        size = own
        corners = find_board(board, pixels)
        if corners is not None:
            if number in seen:
                raise DataError(f"{path}: two pictures have the number {number}")
            seen[number] = corners
    return seen, size, failed


def _numbered(path: Path) -> Iterator[tuple[int, Pixels | str]]:
    """Yield number and pixels of every picture, or in words why there are none."""
    for entry in scenes_from([path]):
        if isinstance(entry, Unreadable):
            yield 0, str(entry)
        else:
            yield frame_number(str(entry.id), str(entry.id)), entry.pixels()


def _told(board: Board) -> str:
    if board.marker:
        return f"a ChArUco board of {board.across + 1}x{board.down + 1} squares with markers {board.dictionary}"
    return f"a chessboard of {board.across}x{board.down} inner corners"


def _chessboard(board: Board, grey: NDArray[np.uint8]) -> Floats | None:
    """Return the corners of a whole chessboard, the first beside a dark square, counted as one who faces it would."""
    flags = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_ACCURACY
    ok, corners = cv2.findChessboardCornersSB(grey, (board.across, board.down), flags=flags)
    if not ok:
        return None
    grid = np.asarray(corners, np.float64).reshape(board.down, board.across, 2)
    right, below = grid[0, -1] - grid[0, 0], grid[-1, 0] - grid[0, 0]
    if right[0] * below[1] - right[1] * below[0] < 0:
        grid = grid[:, ::-1]
    if _brightness(grey, grid[:2, :2]) > _brightness(grey, grid[-2:, -2:]):
        grid = grid[::-1, ::-1]
    return grid.reshape(-1, 2)


def _brightness(grey: NDArray[np.uint8], square: Floats) -> float:
    x, y = np.rint(square.reshape(-1, 2).mean(0)).astype(int)
    return float(grey[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].mean())


def _markers(board: Board, grey: NDArray[np.uint8]) -> Floats | None:
    """Return the corners of a ChArUco board that its markers name."""
    markers = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, board.dictionary))
    size = (board.across + 1, board.down + 1)
    own = cv2.aruco.CharucoBoard(size, board.square, board.marker, markers)
    corners, ids, _, _ = cv2.aruco.CharucoDetector(own).detectBoard(grey)
    if ids is None or not len(ids):
        return None
    found = np.full((board.across * board.down, 2), np.nan)
    found[np.ravel(ids)] = np.reshape(corners, (-1, 2))
    return found
