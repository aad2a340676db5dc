"""Side by side: tasks shared out among processes that end when this one does."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any

Share = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]
"""(work, tasks) -> results as they come."""


@contextmanager
def side_by_side(processes: int) -> Iterator[Share]:
    """Give what shares tasks out; one process works here, in order, more start afresh and need what can be pickled."""
    if processes == 1:
        yield map
        return
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, fresh, _end_with_parent) as pool:

        def share(work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
            futures = [pool.submit(work, task) for task in tasks]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                for future in futures:
                    future.cancel()

        yield share


def _end_with_parent() -> None:
    """Let this process end when its parent has, whatever ended that."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()
