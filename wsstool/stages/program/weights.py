"""``weights``: list, fetch, find and verify pretrained weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wsstool.errors import UsageError
from wsstool.pretrained.catalogue import catalogue, entry_named
from wsstool.pretrained.entry import Entry
from wsstool.pretrained.folder import find, present, pull, verify, weights_folder
from wsstool.types import SILENT, Messages


def weights(
    action: str, names: Sequence[str] | None = None, *, messages: Messages = SILENT
) -> dict[str, Any]:
    """List, fetch, find or verify pretrained weights.

    Args:
        action: ``list``; ``pull``: fetch what is not here; ``path``: where the files lie; ``verify``: compare
            checksums, without names those of all files on this machine.
        names: entries of the catalogue, or ``timm:NAME``; ``pull`` and ``path`` need at least one, ``list``
            without names shows all but the thousands of timm, of which only those in the folder.
        messages: receives a line per fetched file.
    Returns:
        ``folder`` and ``weights``: ``name``, ``bytes``, ``licence``, ``trained_on``, ``sha256`` (as
        published, '' if it is not; after ``pull`` and ``verify`` in full), ``source`` and ``path`` (None: not
        here).
    Raises:
        UsageError: names that do not apply to the action; timm has no such network, or is not installed.
        MissingInputError: no such entry, not on this machine, or not reachable.
        BadInputError: a file with another checksum.
        CannotWriteError: the folder cannot be written to.
    """
    if action in ("pull", "path") and not names:
        raise UsageError(f"'{action}' needs a name, as listed by 'wsstool weights list'")
    folder = weights_folder()
    entries = catalogue(folder)
    chosen = [entry_named(name, entries) for name in names] if names else [*entries.values()]
    if not names and any(folder.glob("*.safetensors")):
        from wsstool.pretrained.timm_weights import fetched  # imports the networks

        chosen += fetched(folder)
    if action == "verify" and not names:
        chosen = [entry for entry in chosen if find(entry, folder)]
    found = [_handled(action, entry, folder, messages) for entry in chosen]
    return {"folder": str(folder), "weights": found}


def _handled(action: str, entry: Entry, folder: Path, messages: Messages) -> dict[str, Any]:
    path, sha256 = find(entry, folder), entry.sha256
    was_here = path is not None
    if action != "list":
        path = pull(entry, folder) if action == "pull" else present(entry, folder)
        sha256 = sha256 if action == "path" else verify(entry, path)
    if action == "pull":
        messages.say(f"{'already here' if was_here else 'fetched'}: {path}")
    return {
        "name": entry.name,
        "bytes": entry.bytes,
        "licence": entry.licence,
        "trained_on": entry.trained_on,
        "sha256": sha256,
        "source": entry.url or f"pip package {entry.package}",
        "path": None if path is None else str(path),
    }
