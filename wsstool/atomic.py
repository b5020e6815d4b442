"""Write files and folders whole or not at all, and never over an input.

A file is written beside its target, synced to the disk, then renamed.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path

from wsstool.errors import CannotWriteError, UsageError

DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO})
"""Error numbers of a file system that takes no more: nothing but writing brings them about."""

_MARK = "-wsstool-"
"""Part of the name of every temporary folder."""


@contextmanager
def atomic_file(target: Path | str) -> Iterator[Path]:
    """Give a file beside ``target`` to write; it takes the target's place when the block ends well.

    The target keeps its old content until then, and if the block raises. The new file has the permissions of
    any new file of this process.

    Yields:
        Path of the empty file, in a temporary folder beside ``target``.

    Raises:
        CannotWriteError: no such folder, no space, no permission. The block does nothing but write: its
            OSErrors count, and RuntimeErrors too, by which torch and HDF5 report a full disk.
    """
    target = Path(target)
    with write_errors(target), scratch_folder(target) as folder:
        part = folder / target.name
        part.touch()
        yield part
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        part.chmod(0o666 & ~_umask())
        os.replace(part, target)


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
        with scratch_folder(target) as folder:
            part, old = folder / "new", folder / "old"
            part.mkdir()
            yield part
            part.chmod(0o777 & ~_umask())
            if target.exists():
                target.rename(old)
            try:
                part.rename(target)
            except OSError:
                if old.exists():
                    old.rename(target)
                raise


@contextmanager
def scratch_folder(target: Path | str) -> Iterator[Path]:
    """Give a temporary folder on the same file system as ``target``; it is removed at the end.

    Those that killed processes left there are removed first: each is locked while its process lives.

    Raises:
        CannotWriteError: see ``atomic_file``.
    """
    target = Path(target)
    with write_errors(target):
        part, lock = _locked_folder(target.absolute().parent, f".{target.name}")
    owner = os.getpid()
    try:
        yield part
    finally:
        if os.getpid() == owner:  # a forked worker ends with a copy of this frame, and must keep the folder
            shutil.rmtree(part, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def temporary_folder() -> AbstractContextManager[Path]:
    """Give a folder of the system's temporary files; like those of ``scratch_folder``, none stays behind."""
    return scratch_folder(Path(tempfile.gettempdir(), "records"))


@cache
def remove_abandoned(parent: Path) -> None:
    """Remove the temporary folders of killed processes, once per process; where there are no locks, none."""
    for path in parent.glob(f"*{_MARK}*.part"):
        if not path.is_symlink() and path.is_dir() and (lock := _lock(path)) is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)


def _locked_folder(parent: Path, prefix: str) -> tuple[Path, int | None]:
    """Make a folder and lock it, if the system can."""
    remove_abandoned(parent)
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix + _MARK, suffix=".part", dir=parent))
        lock = _lock(path)
        if path.exists():  # another process may have taken it for abandoned before it was locked
            return path, lock
        if lock is not None:
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder for this process; None if another one holds it, or if the system has no such locks."""
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


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
        cause = _first(error)
        if isinstance(cause, KeyboardInterrupt):
            raise cause from None
        why = getattr(cause, "strerror", None) or str(cause).partition("\n")[0]
        raise CannotWriteError(f"cannot write '{target}': {why}") from error


def check_no_input_is_written(
    output: object, inputs: Iterable[object], folders: Iterable[str] = ("",), shown: str = "-o"
) -> None:
    """Check that an output is none of the inputs, under whatever name: a link to one is the same file.

    Args:
        output: path; None and ``-`` are standard output. Pipes and devices may be read and written at once.
        inputs: paths, also as ``NAME=PATH`` or ``PATH:COLUMN``; None and ``-`` are standard input.
        folders: in which relative inputs may lie.
        shown: option that names the output, for the message.

    Raises:
        UsageError: it is one of them.
    """
    written = _status(str(output)) if output is not None and str(output) != "-" else None
    if written is None or not (stat.S_ISREG(written.st_mode) or stat.S_ISDIR(written.st_mode)):
        return
    for one in inputs:
        text = "" if one is None else str(one)
        spellings = {text, text.partition("=")[2], text.rpartition(":")[0]} - {""}
        candidates = [os.path.join(folder, path) for path in spellings for folder in folders]
        if any((read := _status(path)) and os.path.samestat(read, written) for path in candidates):
            same = "" if text == str(output) else f" '{one}'"
            raise UsageError(f"{shown} {output} is the input{same}; name another output")


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None


def _first(error: BaseException) -> BaseException:
    """Return the interrupt or system error during whose handling ``error`` was raised, else ``error``.

    A torch archive that was left unfinished says so in an error of its own.
    """
    before: BaseException | None = error
    while before is not None:
        if isinstance(before, KeyboardInterrupt) or getattr(before, "strerror", None):
            return before
        before = before.__cause__ or before.__context__
    return error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
