"""Work on records some ahead of their reader, results in order: by threads, or by any pool."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(make: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """``make`` of every item, in order, some ahead; numpy and scipy work outside Python's lock.

    >>> list(in_order(abs, [-1, 2, -3], 2))
    [1, 2, 3]
    """
    if workers <= 0:
        yield from map(make, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from submitted(pool, make, items, 2 * workers)


def submitted(
    pool: Executor, make: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """``make`` of every item by ``pool``, in order, at most ``ahead`` of them waiting for their turn."""
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
