"""Ordered map over threads or processes: items are computed ahead of the consumer, results come in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from wsstool.errors import WsstoolError

Item = TypeVar("Item")
Result = TypeVar("Result")
_WORTH_IT = 4  #: minimum items per process; with fewer, starting it takes longer than it saves


def map_in_threads(make: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Apply ``make`` to every item in threads, for work that numpy and scipy do outside the GIL.

    >>> list(map_in_threads(abs, [-1, 2, -3], 2))
    [1, 2, 3]
    """
    if workers <= 0:
        yield from map(make, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from _submitted(pool, make, items, 2 * workers)


def _submitted(
    pool: Executor, make: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """Apply ``make`` in ``pool``; at most ``ahead`` results wait for the consumer."""
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def map_in_processes(make: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Iterator[Result]:
    """Apply ``make`` to every item in worker processes, for CPU-bound work held back by the GIL.

    With few items, everything runs in this process.

    Args:
        make: must be picklable; its exceptions are raised here.
        items: must be picklable.
        workers: number of processes; 0 or 1: use only this process.
    Raises:
        WsstoolError: a worker process died.
        WsstoolError: a process died.
    """
    if workers < 2 or len(items) < _WORTH_IT * workers:
        yield from map(make, items)
        return
    # Spawn instead of fork: a forked copy would share buffers, locks and open files.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, fresh, _begin) as pool:
        try:
            yield from _submitted(pool, make, items, 2 * workers)
        except BrokenProcessPool:
            raise WsstoolError(
                "a worker process died, possibly out of memory; --workers 1 needs the least memory"
            ) from None


def _begin() -> None:
    """Ignore SIGINT in a worker, and exit when its parent process dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_the_parent, daemon=True).start()


def _follow_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
