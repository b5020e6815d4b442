"""Write files and folders whole or not at all: beside the target, synced to the disk, then renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wsstool.errors import CannotWriteError


@contextmanager
def atomic_file(target: Path | str) -> Iterator[Path]:
    """Give a file beside ``target`` to write; it takes the target's place when the block ends well.

    The target keeps its old content until then, and if the block raises. The new file has the permissions of
    any new file of this process.

    Yields:
        Path of the empty file, in the folder of ``target``.

    Raises:
        CannotWriteError: no such folder, no space, no permission. The block does nothing but write: its
            OSErrors count, and RuntimeErrors too, by which torch and HDF5 report a full disk.
    """
    target = Path(target)
    with write_errors(target):
        handle, name = tempfile.mkstemp(prefix=f".{target.name}-", suffix=".part", dir=target.parent)
        os.close(handle)
        part = Path(name)
        try:
            yield part
            with open(part, "rb") as file:
                os.fsync(file.fileno())
            part.chmod(0o666 & ~_umask())
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(target: Path | str) -> Iterator[Path]:
    """Give a folder beside ``target`` to fill; it replaces the target when the block ends well.

    Yields:
        Path of the empty folder, beside ``target``, whose parents are made if need be.

    Raises:
        CannotWriteError: see ``atomic_file``.
    """
    target = Path(target)
    with write_errors(target):
        target.absolute().parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(target) as part:
            yield part
            part.chmod(0o777 & ~_umask())
            old = part.with_suffix(".old")
            if target.exists():
                target.rename(old)
            part.rename(target)
            shutil.rmtree(old, ignore_errors=True)


@contextmanager
def scratch_folder(target: Path | str) -> Iterator[Path]:
    """Give a temporary folder on the same file system as ``target``; it is removed at the end.

    Raises:
        CannotWriteError: see ``atomic_file``.
    """
    target = Path(target)
    with write_errors(target):
        parent = target.absolute().parent
        part = Path(tempfile.mkdtemp(prefix=f".{target.name}-", suffix=".part", dir=parent))
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_text(target: Path | str, text: str) -> None:
    """Write a UTF-8 text file whole or not at all; a device or a pipe takes the text as it comes.

    Raises:
        CannotWriteError: see ``atomic_file``.
    """
    target = Path(target)
    if target.exists() and not target.is_file():
        with write_errors(target):
            target.write_text(text, encoding="utf-8")
        return
    with atomic_file(target) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def write_errors(target: object) -> Iterator[None]:
    """Turn the errors of a block that writes ``target`` into CannotWriteError; a closed pipe stays one."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise CannotWriteError(f"cannot write '{target}': {why}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
