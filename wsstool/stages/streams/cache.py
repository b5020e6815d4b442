"""List and remove results in the cache of pipes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wsstool import store
from wsstool.errors import BusyError, MissingInputError, UsageError, WsstoolError
from wsstool.store.output import cache as cached
from wsstool.types import SILENT, Messages

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def cache(
    action: str,
    keys: Sequence[str] | None = None,
    *,
    max_size: str | None = None,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """List or remove cached results. The folder is that of WSSTOOL_CACHE, else the user's cache folder.

    Args:
        action: ``ls``; ``rm``: the results of ``keys``; ``prune``: the least recently used until at most
            ``max_size`` is left.
        keys: first digits of keys, at least 4, each identifying one result.
        max_size: bytes, or a number with K, M, G or T (powers of 1000).
    Returns:
        ``folder``, ``bytes`` in it afterwards, and ``entries``: those listed or removed, each with ``key``,
        ``bytes``, ``complete``, and for complete ones ``stage``, ``kind`` and ``images``.
    Raises:
        UsageError: arguments that do not apply to the action.
        MissingInputError: no such key.
        BusyError: a run is writing that result.
    """
    if (max_size is not None) != (action == "prune"):
        raise UsageError(
            "--max-size, such as --max-size 10G, is required by 'prune' and not allowed with 'ls' and 'rm'"
        )
    if bool(keys) != (action == "rm"):
        raise UsageError(
            "keys, as listed by 'wsstool cache ls', are required by 'rm' and not allowed with 'ls' and "
            "'prune'"
        )
    folder = cached.folder() or cached.folder("1")
    assert folder
    listed = cached.entries(folder)
    chosen = [_named(key, listed) for key in keys] if keys else listed
    described = {one.path: _described(one) for one in chosen}
    if action == "prune":
        chosen = cached.prune(folder, parse_size(max_size or ""))
        messages.say(f"removed {len(chosen)} of {len(listed)} results")
    elif action == "rm":
        for one in chosen:
            if not cached.remove(one):
                raise BusyError(f"another process is writing {one.key}")
    elif action != "ls":
        raise UsageError(f"cache {action}: unknown action; use ls, rm or prune")
    left = sum(one.size for one in cached.entries(folder))
    entries = [described[one.path] for one in chosen if one.path in described]
    return {"folder": str(folder), "bytes": left, "entries": entries}


def parse_size(text: str) -> int:
    """Parse a size such as ``"10G"`` to bytes.

    Raises:
        UsageError: anything but a number with an optional unit.

    >>> parse_size("1.5k"), parse_size("7"), parse_size("2 GB")
    (1500, 7, 2000000000)
    """
    plain = text.strip().upper().removesuffix("B")
    unit = plain[-1:] if plain[-1:] in _UNITS else ""
    try:
        value = float(plain.removesuffix(unit)) * _UNITS[unit]
        if not 0 <= value < float("inf"):
            raise ValueError
    except ValueError:
        raise UsageError(f"--max-size {text}: write bytes, or a number with K, M, G or T") from None
    return round(value)


def _named(key: str, listed: Sequence[cached.Entry]) -> cached.Entry:
    found = [one for one in listed if one.key.startswith(key)]
    if len(key) < 4 or len({one.key for one in found}) > 1:
        raise UsageError(f"'{key}' does not identify a single result; give more digits of its key")
    if not found:
        raise MissingInputError(f"no cached result has the key '{key}'")
    return found[0]


def _described(one: cached.Entry) -> dict[str, Any]:
    entry: dict[str, Any] = {"key": one.key, "bytes": one.size, "complete": one.complete}
    if one.complete:
        try:
            with store.open_records(Path(one.path), header_only=True) as reader:
                header = reader.header
            entry |= {"stage": header.stage, "kind": header.payload, "images": len(header)}
        except WsstoolError as error:
            entry |= {"stage": None, "kind": None, "images": None, "error": str(error)}
    return entry
