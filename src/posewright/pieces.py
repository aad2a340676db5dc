"""Pieces: one pure function over many pieces of work, here or on the machines of a Ray cluster, with equal results.

A piece holds all that its result depends on, so it does not matter who does it, or how often. A worker that is lost
costs the piece it was at, which another one does again. All machines must see the same files under the same paths, and
have the same posewright.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

Share = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]
"""(work, pieces) -> results, in the order of the pieces, as they come; `map` is one."""
AUTO = "auto"
RETRIES = 3
"""How often a piece is done again whose worker was lost; one that ends every worker it meets must end itself."""
AHEAD = 4
"""Pieces a core that are sent out before their turn, so that nobody waits and a million need not be in memory."""
PATIENCE = 5.0
"""Seconds to wait for an address, and for pieces that are called off."""


@contextmanager
def shared(cluster: str | None) -> Iterator[Share]:
    """Give what shares pieces out: None works here, in order; "auto" on all cores of this machine; an address on Ray's.

    Raises ImportError where Ray is not installed, ValueError for what is no address, ConnectionError where no cluster
    answers. While pieces are out, what goes wrong in one is raised here as it was there; RuntimeError where its
    workers are lost again and again.
    """
    if cluster is None:
        yield map
        return
    ray = _joined(cluster)
    try:
        yield partial(_on, ray)
    finally:
        ray.shutdown()


def _joined(cluster: str) -> Any:
    """Start Ray here or join a cluster; returns the module."""
    if find_spec("ray") is None:
        raise ImportError('ray is not installed: pip install "posewright[cluster]"')
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it tells its makers of every start otherwise
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # its own future default, else a warning
    if cluster != AUTO:
        _knock(cluster)
    ray: Any = import_module("ray")
    own = {"include_dashboard": False} if cluster == AUTO else {}
    address = "local" if cluster == AUTO else cluster
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **own)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ConnectionError(f"--cluster {cluster}: {' '.join(str(error).split())}") from None
    return ray


def _knock(address: str) -> None:
    """Raise where nobody listens at an address; Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ValueError(f"--cluster: must be auto or an address as 10.0.0.1:6379, not {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConnectionError(f"--cluster {address}: no Ray answers there ({reason}); ray start --head") from None


def _on(ray: Any, work: Callable[[Any], Any], pieces: Iterable[Any]) -> Iterator[Any]:
    """Yield the results of pieces that a cluster does, in their order; the work is sent once to each machine."""
    try:
        sent = [ray.put(work)]  # inside a list it arrives as it is, and is fetched once a worker
    except TypeError as error:
        raise ValueError(f"this cannot be sent to other processes: {str(error).splitlines()[0]}") from None
    task = ray.remote(num_cpus=1, max_retries=RETRIES)(_done)
    waiting, out = iter(pieces), deque[Any]()
    most = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
    try:
        out.extend(task.remote(sent, os.getcwd(), piece) for piece in islice(waiting, most))
        while out:
            yield _result(ray, out.popleft())
            out.extend(task.remote(sent, os.getcwd(), piece) for piece in islice(waiting, 1))
    finally:  # whoever leaves early may clean up behind pieces, so none is still at work then
        for one in out:
            ray.cancel(one)
        if out:
            ray.wait(list(out), num_returns=len(out), timeout=PATIENCE)


def _result(ray: Any, piece: Any) -> Any:
    try:
        return ray.get(piece)
    except ray.exceptions.RayTaskError as error:
        raise (error.cause if isinstance(error.cause, Exception) else RuntimeError(_last(error))) from None
    except ray.exceptions.RayError as error:
        raise RuntimeError(f"a piece of the work was lost {1 + RETRIES} times: {_last(error)}") from None


def _last(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__


def _done(sent: list[Any], folder: str, piece: Any) -> Any:
    """Do a piece on a worker, in the folder that its paths are relative to."""
    if not Path(folder).is_dir():
        raise ValueError(f"{folder}: not on the machine {socket.gethostname()}; all must see the same files")
    os.chdir(folder)
    return _fetched(sent[0])(piece)


@lru_cache(maxsize=1)
def _fetched(sent: Any) -> Callable[[Any], Any]:
    import ray

    work: Callable[[Any], Any] = ray.get(sent)
    return work
