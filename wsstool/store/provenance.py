"""Keys, fingerprints and provenance: the inputs and options of a result."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsstool import __version__
from wsstool.errors import MissingInputError
from wsstool.store.command_line import command_line
from wsstool.store.schema import FIRST_SCHEMA
from wsstool.types import PACKAGES

#: Incremented when a stage's results change for equal options; part of every key.
STAGE_VERSIONS: dict[str, int] = {}


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys and no spaces: equal values give equal bytes.

    >>> canonical_json({"b": 1, "a": [1.5, None]})
    '{"a":[1.5,null],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be part of a key")


def digest(text: str) -> str:
    """Return the BLAKE2b-128 hash of a text as 32 hex digits."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def make_key(stage: str, params: Mapping[str, Any], inputs: list[dict[str, str]]) -> str:
    """Return the key of a result: stage and its version, options that change results, inputs."""
    version = STAGE_VERSIONS.get(stage, 1)
    pre_image = {"type": "wsstool-key", "schema": FIRST_SCHEMA, "stage": stage, "stage_version": version}
    return digest(canonical_json({**pre_image, "params": dict(params), "inputs": inputs}))


def fingerprint_file(path: Path, *, trust_mtime: bool = False) -> str:
    """Return the content hash of a file; with ``trust_mtime`` a ``stat:`` mark of its size and time instead.

    Raises:
        MissingInputError: no such file, or it cannot be read.
    """
    try:
        if trust_mtime:
            stat = os.stat(path)
            return "stat:" + digest(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}")
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise MissingInputError(f"cannot read '{path}': {error.strerror}") from error


def hashed_files(root: Path, names: Iterable[str], *, trust_mtime: bool = False) -> dict[str, str]:
    """Return the content hash of files under ``root``, see ``fingerprint_file``.

    A file that cannot be read, a pipe or a device (which may have no end) counts as empty: the stage reports
    it as a failed image, not as a failed run.
    """

    def entry(name: str) -> str:
        try:
            if (Path(root) / name).exists() and not (Path(root) / name).is_file():
                return ""
            return fingerprint_file(Path(root) / name, trust_mtime=trust_mtime)
        except MissingInputError:
            return ""

    names = list(names)
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(entry, names), strict=True))


def fingerprint_of_files(hashes: Mapping[str, str], *, trust_mtime: bool = False) -> str:
    """Return the hash of a sorted manifest (relative name, content hash)."""
    manifest = [[name, hashes[name]] for name in sorted(hashes)]
    mark = "stat:" if trust_mtime else ""
    return mark + digest(canonical_json({"type": "wsstool-folder", "files": manifest}))


def fingerprint_folder(root: Path, names: Iterable[str], *, trust_mtime: bool = False) -> str:
    """Return the fingerprint of files under ``root``: of their names and content."""
    hashes = hashed_files(root, names, trust_mtime=trust_mtime)
    return fingerprint_of_files(hashes, trust_mtime=trust_mtime)


@dataclass(frozen=True)
class Input:
    """One input of a stage, for keys and provenance.

    Args:
        role: ``input`` (a positional record file), ``data`` (an image folder) or the name of the option.
        identity: ``{"key": ...}`` of a record or weights file, or ``{"fingerprint": ...}``.
        path: as typed, for the rebuilt command only; not part of the key.
        provenance: history of the input.
    """

    role: str
    identity: Mapping[str, str]
    path: str = ""
    provenance: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def of_file(cls, path: Path, *, role: str, provenance: Sequence[Mapping[str, Any]] = ()) -> Input:
        """Describe a weights or list file by its content; ``provenance`` from its ``meta``, if any."""
        return cls(role, {"fingerprint": fingerprint_file(Path(path))}, str(path), tuple(provenance))

    @classmethod
    def of_bytes(cls, content: bytes, *, role: str) -> Input:
        """Describe piped content: equal to ``of_file`` of a file with the same content."""
        return cls(role, {"fingerprint": hashlib.blake2b(content, digest_size=16).hexdigest()})

    @classmethod
    def of_folder(
        cls, root: Path, names: Sequence[str], *, role: str = "data", typed: Path | None = None
    ) -> Input:
        """Describe a folder of images by their content; ``typed``: the path as typed, if not ``root``."""
        return cls(role, {"fingerprint": fingerprint_folder(Path(root), names)}, str(typed or root))


def key_of(stage: str, params: Mapping[str, Any], inputs: Sequence[Input]) -> str:
    """Return the key of a result of ``stage``; training stages store it in the ``meta`` of their weights."""
    return make_key(stage, params, [{"role": one.role, **one.identity} for one in inputs])


def history(stage: str, params: Mapping[str, Any], inputs: Sequence[Input]) -> list[dict[str, Any]]:
    """Return the provenance of a result: all inputs, oldest first and each step once, then its own entry."""
    steps: dict[str, dict[str, Any]] = {}
    for one in inputs:
        for step in one.provenance:
            steps.setdefault(step.get("key", ""), dict(step))
    key = key_of(stage, params, inputs)
    described = []
    for one in inputs:
        last = one.provenance[-1] if one.provenance else None
        made = {"made_by": last.get("stage", ""), "made_key": last.get("key", "")} if last else {}
        described.append({"role": one.role, "path": one.path, **one.identity, **made})
    steps[key] = provenance_entry(stage, params, described, key)
    return list(steps.values())


def provenance_entry(
    stage: str, params: Mapping[str, Any], inputs: list[dict[str, str]], key: str
) -> dict[str, Any]:
    """Return one step of the history, without time or machine, so that equal runs give equal bytes."""
    parents = [one["key"] for one in inputs if "key" in one]
    packages = {PACKAGES: list(params[PACKAGES])} if params.get(PACKAGES) else {}
    return {
        "stage": stage,
        "version": __version__,
        "command": command_line(stage, params, inputs, key),
        "key": key,
        "parents": parents,
        **packages,
    }


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return the option that differs between two runs, as part of a sentence; '' if none does.

    >>> changed({"scale": 1, "flip": True}, {"scale": 2, "flip": True})
    'scale 1 -> 2'
    """
    parts = [
        f"{name} {old.get(name)} -> {new.get(name)}"
        for name in sorted({*old, *new})
        if canonical_json(old.get(name)) != canonical_json(new.get(name))
    ]
    return ", ".join(parts)
