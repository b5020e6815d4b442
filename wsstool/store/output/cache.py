"""The cache for pipes: results by key, in ordinary record files.

Off unless ``WSSTOOL_CACHE`` is set: ``1`` for the user's cache folder, or the path of a folder.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wsstool.errors import BusyError, CannotWriteError
from wsstool.store.output.partial_file import PartFile

_NAME = re.compile(r"([0-9a-f]{32})\.h5(\.part)?")
_OFF = ("", "0", "no", "off", "false")


def folder(setting: str | None = None) -> Path | None:
    """Return the cache folder, or None if caching is off.

    Args:
        setting: value in place of ``WSSTOOL_CACHE``; None: use that variable.
    Raises:
        CannotWriteError: the folder cannot be created.
    """
    setting = os.environ.get("WSSTOOL_CACHE", "") if setting is None else setting
    if setting.lower() in _OFF:
        return None
    if setting.lower() in ("1", "yes", "on", "true"):
        from platformdirs import user_cache_dir

        path = Path(user_cache_dir("wsstool"))
    else:
        path = Path(setting).expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWriteError(f"cannot create the cache folder '{path}': {error.strerror}") from error
    return path


def entry(path: Path, key: str) -> Path:
    """Return the path of the result of a key."""
    return path / f"{key}.h5"


def touch(path: Path) -> None:
    """Mark an entry as used now."""
    with suppress(OSError):
        os.utime(path)


@dataclass(frozen=True)
class Entry:
    """One cached result; ``used`` is the time of its last use in seconds since 1970."""

    key: str
    path: Path
    size: int
    used: float
    complete: bool  #: False: left by an interrupted run, or being written


def entries(path: Path) -> list[Entry]:
    """List the cached results, most recently used first. Other files of the folder are ignored."""
    found = []
    for file in path.iterdir():
        match = _NAME.fullmatch(file.name)
        with suppress(FileNotFoundError):  # another process removes or completes it
            if match:
                status = file.stat()
                found.append(Entry(match[1], file, status.st_size, status.st_mtime, not match[2]))
    return sorted(found, key=lambda e: (-e.used, e.key))


def remove(one: Entry) -> bool:
    """Remove an entry and its journal; False if a run is still writing it."""
    if one.complete:
        one.path.unlink(missing_ok=True)
        return True
    try:
        PartFile(one.path.with_suffix("")).discard()
    except BusyError:
        return False
    return True


def prune(path: Path, max_size: int) -> list[Entry]:
    """Remove the least recently used entries until at most ``max_size`` bytes are left; return those."""
    kept, removed = 0, []
    for one in entries(path):
        kept += one.size
        if kept > max_size and remove(one):
            removed.append(one)
    return removed
