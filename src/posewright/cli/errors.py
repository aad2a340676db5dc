"""Errors and output: one line for what went wrong, and work that goes on where nobody reads what it prints."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from posewright.datasets.records import DataWarning
from posewright.text import printable

CLOSED = 141
"""The exit code where a reader closed the pipe, that of a process which SIGPIPE ended."""


def line_of(error: BaseException) -> str:
    """Say an error in one line, without what a terminal would take for a command."""
    if isinstance(error, ModuleNotFoundError) and str(error.name).partition(".")[0] in ("torch", "onnx", "safetensors"):
        return f'{error.name} is not installed: pip install "posewright[train]"'
    if isinstance(error, OSError) and error.filename and error.strerror:
        return printable(f"{os.fspath(error.filename)}: {error.strerror}")
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return printable(" ".join(text.split())) or type(error).__name__


def theirs(error: BaseException, given: Sequence[str]) -> str:
    """Say where in a user's file, named among the arguments, an error comes from; "" where it does not."""
    names = [word.rpartition("=")[2].rpartition(":")[0] for word in given if ".py:" in word]
    files = {str(Path(name).resolve()): name for name in names if name.endswith(".py")}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        name = files.get(str(Path(frame.filename).resolve()))
        if name is not None:
            return printable(f"{name}, line {frame.lineno}: {type(error).__name__}: {line_of(error)}")
    return ""


@contextmanager
def told() -> Iterator[None]:
    """Say in one line on standard error what is odd in a file, each once."""
    said: set[str] = set()

    def show(message: Warning | str, category: type[Warning], filename: str, *where: Any, **more: Any) -> None:
        if not issubclass(category, DataWarning):
            before(message, category, filename, *where, **more)
        elif str(message) not in said:
            said.add(str(message))
            print(f"posewright: warning: {' '.join(str(message).split())}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", DataWarning)
        before, warnings.showwarning = warnings.showwarning, show
        yield


class _Output:
    """Standard output that goes nowhere once its reader has closed it, so that files are written all the same."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.closed_early = stream, False

    def write(self, text: str) -> int:
        try:
            return int(self.stream.write(text))
        except BrokenPipeError:
            return self._goes_nowhere(len(text))

    def flush(self) -> None:
        try:
            self.stream.flush()
        except BrokenPipeError:
            self._goes_nowhere(0)

    def _goes_nowhere(self, length: int) -> int:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.stream.fileno())
        os.close(nowhere)
        self.closed_early = True
        return length

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def lasting_output() -> Iterator[_Output]:
    """Put an output in standard output's place that outlasts its reader."""
    before, output = sys.stdout, _Output(sys.stdout)
    sys.stdout = output
    try:
        yield output
    finally:
        output.flush()
        sys.stdout = before
