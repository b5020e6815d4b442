"""Put finished files of another format into place, and protect those of others."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from wsstool.errors import BadInputError, CannotWriteError, UsageError


def check_output(output: Path, force: bool) -> None:
    """Check that nothing is lost by writing here.

    Raises:
        UsageError: a file, or a folder that is not empty, without ``force``.
        CannotWriteError: neither a file nor a folder.
    """
    if output.exists() and not output.is_file() and not output.is_dir():
        raise CannotWriteError(f"cannot write '{output}': it is neither a file nor a folder")
    if force or not output.exists():
        return
    if not output.is_dir():
        raise UsageError(f"'{output}' exists; --force replaces it")
    if any(output.iterdir()):
        raise UsageError(f"'{output}' is not empty; --force writes into it all the same")


def put(made: Path, output: Path) -> None:
    """Move the finished output into place: a file, or every file of a folder."""
    try:
        if made.is_dir():
            _move_into(made, output)
        elif output.is_dir():
            raise CannotWriteError(f"'{output}' is a folder; this format writes a file")
        else:
            os.replace(made, output)
    except OSError as error:
        raise CannotWriteError(f"cannot write '{output}': {error.strerror or error}") from error


def _move_into(staging: Path, output: Path) -> None:
    """Move every finished file into place. A link inside the folder that leads out of it is not followed."""
    if output.exists() and not output.is_dir():
        raise CannotWriteError(f"'{output}' is a file; name a folder")
    output.mkdir(exist_ok=True)
    inside = output.resolve()
    for path in sorted(p for p in staging.rglob("*") if p.is_file()):
        target = output / PurePosixPath(path.relative_to(staging).as_posix())
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(inside):
            raise BadInputError(f"'{target}' leads out of '{output}'")
        os.replace(path, target)
