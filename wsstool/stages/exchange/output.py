"""Put finished files of another format into place; replace earlier ones of our own, protect those of others.

A manifest holds the hashes of the files of an export, in the folder or, for a single file, beside it. Files
that still have these hashes may be replaced by the next export. The manifest is written before the files, so
that it also covers those of an export that was killed.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path, PurePosixPath

from wsstool.atomic import write_text
from wsstool.errors import BadInputError, CannotWriteError, UsageError

Manifest = dict[str, list[str]]
"""Path below the output ("" for a single file) -> the hashes that it may have."""

_MANIFEST = ".wsstool-export.json"


def check_output(output: Path, force: bool) -> None:
    """Check that nothing is lost by writing here.

    Raises:
        UsageError: a file, or a folder that is not empty, without ``force`` and not written by an export.
        CannotWriteError: neither a file nor a folder.
    """
    if output.exists() and not output.is_file() and not output.is_dir():
        raise CannotWriteError(f"cannot write '{output}': it is neither a file nor a folder")
    if force or not output.exists() or _read_manifest(output):
        return
    if not output.is_dir():
        raise UsageError(f"'{output}' exists; --force replaces it")
    if any(output.iterdir()):
        raise UsageError(f"'{output}' is not empty; --force writes into it all the same")


def put(made: Path, output: Path, force: bool) -> bool:
    """Move the finished output into place: a file, or every file of a folder.

    Files of an earlier export that the new one lacks are removed.

    Args:
        made: the new output.
        output: its place.
        force: replace files that were not written by an export, or were changed since.

    Returns:
        Whether all files were there already, with the same content.

    Raises:
        UsageError: a file that was changed since the earlier export, or that it did not write.
        BadInputError: a link inside the folder leads out of it.
        CannotWriteError: no space, no permission, a file where a folder is written or the reverse.
    """
    if made.is_dir() and output.exists() and not output.is_dir():
        raise CannotWriteError(f"'{output}' is a file; name a folder")
    if made.is_file() and output.is_dir():
        raise CannotWriteError(f"'{output}' is a folder; this format writes a file")
    try:
        return _put(made, output, force)
    except OSError as error:
        raise CannotWriteError(f"cannot write '{output}': {error.strerror or error}") from error


def _put(made: Path, output: Path, force: bool) -> bool:
    new = {name: _hash(made / name) for name in _files(made)}
    if made.is_dir() and not output.exists():
        _write_manifest(made, {name: [text] for name, text in new.items()})
        made.rename(output)
        return False
    old = _read_manifest(output)
    there = {name: _hash(output / name) for name in {*new, *old} if (output / name).is_file()}
    foreign = {k for k, text in there.items() if text != new.get(k) and text not in old.get(k, [])}
    changed = sorted(foreign & {*new})
    if changed and not force:
        raise UsageError(f"'{output / changed[0]}' is not as an earlier export left it; --force replaces it")
    stale = {*old} - {*new} - foreign
    is_same = all(there.get(name) == text for name, text in new.items()) and not stale & {*there}
    _write_manifest(output, {name: [text, *old.get(name, [])[:1]] for name, text in new.items()})
    for name in sorted(new):
        target = output / PurePosixPath(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if name and not _is_inside(target, output):
            raise BadInputError(f"'{target}' leads out of '{output}'")
        if there.get(name) != new[name]:
            os.replace(made / name, target)
    for name in sorted(stale):
        if _is_inside(output / name, output):
            (output / name).unlink(missing_ok=True)
            with suppress(OSError):  # it still has files of others
                (output / name).parent.rmdir()
    os.utime(output)  # for make
    _write_manifest(output, {name: [text] for name, text in new.items()})
    return is_same


def _files(made: Path) -> list[str]:
    if made.is_file():
        return [""]
    return sorted(path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file())


def _is_inside(path: Path, folder: Path) -> bool:
    """Return whether a file is in a folder, with all links followed."""
    return path.parent.resolve().is_relative_to(folder.resolve())


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _manifest_path(output: Path, is_folder: bool) -> Path:
    return output / _MANIFEST if is_folder else output.with_name(f".{output.name}{_MANIFEST}")


def _read_manifest(output: Path) -> Manifest:
    """Return the manifest of an earlier export; empty if there is none that can be read."""
    try:
        found = json.loads(_manifest_path(output, output.is_dir()).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    is_whole = isinstance(found, dict) and all(
        isinstance(texts, list) and ".." not in PurePosixPath(name).parts and not name.startswith("/")
        for name, texts in found.items()
    )
    return found if is_whole else {}


def _write_manifest(output: Path, manifest: Manifest) -> None:
    is_folder = output.is_dir() or "" not in manifest
    write_text(_manifest_path(output, is_folder), json.dumps(manifest, indent=0, sort_keys=True) + "\n")
