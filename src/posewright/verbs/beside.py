"""Work beside the network: what comes next is read, and what is answered is drawn, in a thread each.

OpenCV and whatever runs networks let other threads go on. Order stays, and what waits is bounded: memory does not grow
with what there is to do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
MOST = 8
"""Things that are read, asked about or drawn at once."""
MOST_BYTES = 64 << 20
"""And their bytes; one that has more goes alone."""


def chunked(things: Iterable[T], weigh: Callable[[T], int], most: int = MOST) -> Iterator[list[T]]:
    """Yield lists of things in their order, up to `most`, and of MOST_BYTES together as `weigh` tells.

    >>> list(chunked("abcde", lambda letter: MOST_BYTES // 2, 3))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    chunk: list[T] = []
    total = 0
    for thing in things:
        weight = weigh(thing)
        if chunk and (len(chunk) == most or total + weight > MOST_BYTES):
            yield chunk
            chunk, total = [], 0
        chunk.append(thing)
        total += weight
    if chunk:
        yield chunk


@contextmanager
def ahead(things: Iterable[T]) -> Iterator[Iterator[T]]:
    """Yield an iterator that makes the next thing while the last one is used, in a thread of its own."""
    made = iter(things)

    def each() -> Iterator[T]:
        future = thread.submit(_first, made)
        while some := future.result():
            future = thread.submit(_first, made)
            yield from some

    with ThreadPoolExecutor(1) as thread:
        yield each()


def _first(things: Iterator[T]) -> list[T]:
    for thing in things:
        return [thing]
    return []


class Behind:
    """Do one thing after the other in a thread of its own, at most MOST of them behind.

    What one raises is raised by a later call, or by `wait`.
    """

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread
        self._left: deque[tuple[Future[Any], int]] = deque()

    def __call__(self, weight: int, do: Callable[..., Any], *what: Any) -> None:
        """Have something done; weight: how many bytes it keeps in memory until then."""
        while self._left and (len(self._left) == MOST or weight + sum(one for _, one in self._left) > MOST_BYTES):
            self._left.popleft()[0].result()
        self._left.append((self._thread.submit(do, *what), weight))

    def wait(self) -> None:
        """Return when all is done."""
        while self._left:
            self._left.popleft()[0].result()


@contextmanager
def behind() -> Iterator[Behind]:
    """Yield what does things behind; all of them are done at the end, also where that is an error."""
    with ThreadPoolExecutor(1) as thread:
        later = Behind(thread)
        yield later
        later.wait()
