"""A folder that is filled over several runs: it survives a kill, and appears at its place when complete."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock

from wsstool.atomic import write_errors
from wsstool.errors import BadInputError, BusyError

_MADE_FROM, _LOCK = ".made-from.json", ".lock"


@contextmanager
def unfinished_folder(target: Path, made_from: dict[str, Any]) -> Iterator[Path]:
    """Give a hidden folder beside ``target`` to fill; it replaces the target when the block ends well.

    If the block is killed, interrupted or cannot write, the folder stays, and the next run from the same
    inputs gets it as it is. A folder made from others is emptied first. After a BadInputError nothing stays:
    other inputs will be needed.

    Args:
        target: the folder to make.
        made_from: inputs and options, as JSON has them.

    Raises:
        BusyError: another process is filling it.
        CannotWriteError: no space, no permission, or a file in the way.
    """
    part = target.absolute().parent / f".{target.name}.unfinished"
    with write_errors(target):
        part.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(part / _LOCK, timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise BusyError(f"another process is writing '{target}'") from None
    try:
        with write_errors(target):
            if _made_from(part) != made_from:
                _empty(part)
                (part / _MADE_FROM).write_text(json.dumps(made_from) + "\n", encoding="utf-8")
            yield part
            (part / _MADE_FROM).unlink()
            (part / _LOCK).unlink()
            _replace(target, part)
    except BadInputError:
        shutil.rmtree(part, ignore_errors=True)
        raise
    finally:
        lock.release()


def _made_from(part: Path) -> Any:
    try:
        return json.loads((part / _MADE_FROM).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != _LOCK:
            path.unlink()


def _replace(target: Path, part: Path) -> None:
    old = part.with_name(part.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    try:
        os.rename(part, target)
    except OSError:
        with suppress(OSError):
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
