"""Work that Python's lock would keep on one core, spread over processes, its results in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from wsstool.errors import WsstoolError
from wsstool.stages.ahead import submitted

T = TypeVar("T")
R = TypeVar("R")
_WORTH_IT = 4  #: items a process, below which starting it takes longer than it saves


def in_order(make: Callable[[T], R], items: Sequence[T], workers: int) -> Iterator[R]:
    """``make`` of every item, in order, some ahead; in this process where there are few.

    Args:
        make: can be pickled; its errors come out here.
        items: can be pickled.
        workers: processes; 0 or 1: none but this.
    Raises:
        WsstoolError: a process died.
    """
    if workers < 2 or len(items) < _WORTH_IT * workers:
        yield from map(make, items)
        return
    # Fresh processes: a copy of this one would have its buffers, its locks and its open files.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, fresh, _begin) as pool:
        try:
            yield from submitted(pool, make, items, 2 * workers)
        except BrokenProcessPool:
            raise WsstoolError(
                "a worker process died, perhaps for want of memory; --workers 1 takes the least"
            ) from None


def _begin() -> None:
    """A worker leaves the interrupt to its parent, and goes when the parent is gone, however it went."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_the_parent, daemon=True).start()


def _follow_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
