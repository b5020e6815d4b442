"""Shards of a dataset: ``--shard i/n`` takes the images whose name hashes to i, from 0."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from wsstool.errors import UsageError


def parse_shard(text: str) -> tuple[int, int]:
    """Parse ``"2/8"`` -> (2, 8).

    Raises:
        UsageError: not ``i/n`` with 0 <= i < n.
    """
    first, slash, last = text.partition("/")
    if slash and first.strip().isdecimal() and last.strip().isdecimal():
        i, n = int(first), int(last)
        if 0 <= i < n:
            return i, n
    raise UsageError(f"--shard {text}: write i/n with 0 <= i < n")


def shard_indices(names: Sequence[str], shard: str | None) -> list[int]:
    """Return the indices of the images of a shard; by hash of the name, so that new images move no others.

    >>> names = [f"{i}.jpg" for i in range(9)]
    >>> sorted(shard_indices(names, "0/2") + shard_indices(names, "1/2")) == list(range(9))
    True
    """
    if shard is None:
        return list(range(len(names)))
    i, n = parse_shard(shard)
    return [k for k, name in enumerate(names) if zlib.crc32(name.encode()) % n == i]
