"""Keys, fingerprints and provenance: what a result was made from, and with which options."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsstool import __version__
from wsstool.errors import MissingInputError
from wsstool.store.schema import SCHEMA

if TYPE_CHECKING:
    from wsstool.store.header import Header

#: Raised by one when a stage's results change for equal options; part of every key.
STAGE_VERSIONS: dict[str, int] = {}


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no blanks: equal values give equal bytes.

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
    raise TypeError(f"{type(value).__name__} has no place in a key")


def digest(text: str) -> str:
    """BLAKE2b-128 of a text as 32 hex digits."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def make_key(stage: str, params: Mapping[str, Any], inputs: list[dict[str, str]]) -> str:
    """The key of a result: stage, its version, options that change results, inputs. Never the machine."""
    version = STAGE_VERSIONS.get(stage, 1)
    pre_image = {"type": "wsstool-key", "schema": SCHEMA, "stage": stage, "stage_version": version}
    return digest(canonical_json({**pre_image, "params": dict(params), "inputs": inputs}))


def fingerprint_file(path: Path, *, trust_mtime: bool = False) -> str:
    """Content hash of a file; with ``trust_mtime`` a ``stat:`` mark of its size and time instead.

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


def fingerprint_folder(root: Path, names: Iterable[str], *, trust_mtime: bool = False) -> str:
    """Hash of a sorted manifest (relative name, content hash) of the named files below ``root``.

    A file that cannot be read counts as empty: the stage reports it as a failed image, not as a failed run.
    """

    def entry(name: str) -> list[str]:
        try:
            return [name, fingerprint_file(Path(root) / name, trust_mtime=trust_mtime)]
        except MissingInputError:
            return [name, ""]

    with ThreadPoolExecutor(2) as pool:
        manifest = list(pool.map(entry, sorted(names)))
    mark = "stat:" if trust_mtime else ""
    return mark + digest(canonical_json({"type": "wsstool-folder", "files": manifest}))


TRAINING_STAGES = ("train-cls", "cotrain", "train-contour")
"""Stages that write weights, not records."""

NEGATIVES = {
    **{name: f"--no-{name}" for name in ("flip", "amp", "rectify", "probe", "balanced", "intercept")},
    "head_bias": "--no-head-bias",
    "class_aware": "--class-agnostic",
    "inclusive": "--strict",
}
"""How a switch that is off is written; others are off when they are not named."""


def result_name(stage: str, key: str) -> str:
    """The file that a replayed command writes: named by its key, so that commands can refer to each other."""
    return key[:12] + (".pth" if stage in TRAINING_STAGES else ".h5")


def command_line(stage: str, params: Mapping[str, Any], inputs: list[dict[str, str]], key: str) -> str:
    """The command that makes this result again, rebuilt from its options (never from ``sys.argv``).

    Files that wsstool made are named by their keys, whatever they were called and whether they came through a
    pipe: the commands of a history, run in order, make everything again, and equal runs give equal bytes.

    >>> one = {"role": "input", "made_by": "cam", "made_key": "c" * 32}
    >>> command_line("pseudo-mask", {"rule": "argmax", "refine": None}, [one], "a" * 32)
    'wsstool pseudo-mask cccccccccccc.h5 --rule argmax -o aaaaaaaaaaaa.h5'
    """
    words = ["wsstool", stage]
    for one in inputs:
        made = one.get("made_by")
        path = result_name(made, one["made_key"]) if made else one["path"]
        if not path:
            continue
        if one["role"] in ("input", "data"):
            words.insert(2, path)
        else:
            words += [f"--{one['role']}", path]
    for name, value in params.items():
        option = "--" + name.replace("_", "-")
        if value is False and name in NEGATIVES:
            words.append(NEGATIVES[name])
        elif value is True:
            words.append(option)
        elif isinstance(value, list | tuple):
            for one_value in value:
                words += [option, str(one_value)]
        elif value is not None and value is not False:
            words += [option, str(value)]
    return shlex.join([*words, "-o", result_name(stage, key)])


def provenance_entry(
    stage: str, params: Mapping[str, Any], inputs: list[dict[str, str]], key: str
) -> dict[str, Any]:
    """One line of history: no time and no machine, so that equal runs give equal bytes."""
    parents = [one["key"] for one in inputs if "key" in one]
    return {
        "stage": stage,
        "version": __version__,
        "command": command_line(stage, params, inputs, key),
        "key": key,
        "parents": parents,
    }


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Which option differs between two runs, as a sentence part; '' when none does.

    >>> changed({"scale": 1, "flip": True}, {"scale": 2, "flip": True})
    'scale 1 -> 2'
    """
    parts = [
        f"{name} {old.get(name)} -> {new.get(name)}"
        for name in sorted({*old, *new})
        if canonical_json(old.get(name)) != canonical_json(new.get(name))
    ]
    return ", ".join(parts)


def difference(old: Header, new: Header) -> str:
    """Why a file with header ``old`` is not the result that ``new`` describes; '' when it is.

    The key decides; the columns are compared too, so that images, tags or classes that a stage left out of
    its key are seen as well. Where it was typed (``image_root``, paths in commands) makes no difference.
    """
    if old.stage != new.stage or old.payload != new.payload:
        return f"it holds the {old.payload} of '{old.stage}'"
    if old.key != new.key:
        parts = [part] if (part := changed(old.params, new.params)) else []
        known = {canonical_json(one) for one in old.inputs}
        roles = sorted({one["role"] for one in new.inputs if canonical_json(one) not in known})
        parts += [f"another {role}" for role in roles]
        return ", ".join(parts) or "another version of the stage, or fewer inputs"
    if old.classes != new.classes:
        return "other classes"
    if old.images != new.images:
        return "other images"
    for name in sorted({*old.columns, *new.columns}):
        if name not in old.columns or name not in new.columns:
            return f"column {name} is new or gone"
        one, other = old.columns[name], new.columns[name]
        if one.shape != other.shape or one.tobytes() != other.tobytes():
            return f"column {name} changed"
    return ""
