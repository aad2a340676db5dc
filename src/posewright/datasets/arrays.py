"""Arrays out of files: those of npz files, and the shape and kind that an array must have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posewright.datasets.documents import MOST_UNPACKED
from posewright.datasets.records import LARGEST, DataError
from posewright.files import opened


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an npz file by name; raises DataError for anything else, pickles among it."""
    with _parsed_by_others(path, "an npz file of plain arrays") as file, np.load(file, allow_pickle=False) as arrays:
        size = sum(entry.file_size for entry in arrays.zip.infolist())
        if size > MOST_UNPACKED:
            raise DataError(f"{path}: unpacks to {size:,} bytes, at most {MOST_UNPACKED:,} are read")
        return {name: arrays[name] for name in arrays.files}


@contextmanager
def _parsed_by_others(path: Path, kind: str) -> Iterator[Any]:
    """Open a file for numpy's or scipy's parser, which answer damage with a dozen kinds of error."""
    try:
        with opened(path) as file:
            yield file
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception as error:
        raise DataError(f"{path}: not {kind}: {type(error).__name__}") from error


def array_of(
    arrays: Mapping[str, Any], name: str, where: str, shape: Sequence[int | None] = (), text: bool = False
) -> NDArray[Any]:
    """Return an array of finite numbers (or of texts) of a shape (None: any length) from those of a file."""
    if name not in arrays:
        raise DataError(f"{where}: {name}: missing; the file holds {', '.join(map(str, arrays)) or 'nothing'}")
    value = np.asarray(arrays[name])
    if (value.dtype.kind != "U") if text else (value.dtype.kind not in "iufb"):
        raise DataError(f"{where}: {name}: must be {'texts' if text else 'numbers'}, not {value.dtype}")
    expected = ", ".join("any" if length is None else str(length) for length in shape)
    if len(shape) != value.ndim or any(a is not None and a != b for a, b in zip(shape, value.shape, strict=True)):
        raise DataError(f"{where}: {name}: must have the shape ({expected}), not {value.shape}")
    if not text and not (np.abs(value.astype(np.float64)) <= LARGEST).all():
        place = tuple(int(i) for i in np.argwhere(~(np.abs(value.astype(np.float64)) <= LARGEST))[0])
        raise DataError(f"{where}: {name}: {value[place]} at {place}; all must be finite numbers up to {LARGEST:g}")
    return value
