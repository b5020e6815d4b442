"""The header of a record file: everything that is known before the first record is computed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from wsstool.errors import BadInputError, UsageError
from wsstool.store.layout import Layout, plan
from wsstool.store.provenance import (
    canonical_json,
    fingerprint_file,
    fingerprint_folder,
    make_key,
    provenance_entry,
)
from wsstool.store.schema import COMMON_HEAD, COMMON_TAIL, KINDS, SCHEMA
from wsstool.types import ClassList

ENVIRONMENT_BYTES = 1024
_MADE = ("wsstool_schema", "stage", "payload", "key", "params", "inputs", "provenance")
ROOT_ATTRIBUTES = (*_MADE, "classes", "background", "palette", "image_root")


@dataclass(frozen=True)
class Input:
    """One input of a stage, for keys and provenance.

    Args:
        role: ``input`` (a positional record file), ``data`` (an image folder) or the option's name.
        identity: ``{"key": ...}`` of a record or weights file, or ``{"fingerprint": ...}``.
        path: as typed, for the rebuilt command only; not part of the key.
        provenance: history of the input.
    """

    role: str
    identity: Mapping[str, str]
    path: str = ""
    provenance: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def of_header(cls, header: Header, *, role: str = "input", path: object = "") -> Input:
        return cls(role, {"key": header.key}, str(path or ""), tuple(header.provenance))

    @classmethod
    def of_file(cls, path: Path, *, role: str, provenance: Sequence[Mapping[str, Any]] = ()) -> Input:
        """A weights or list file by its content; ``provenance`` from its ``meta`` where it has one."""
        return cls(role, {"fingerprint": fingerprint_file(Path(path))}, str(path), tuple(provenance))

    @classmethod
    def of_bytes(cls, content: bytes, *, role: str) -> Input:
        """What came over a pipe, by its content: the same as ``of_file`` of a file that holds it."""
        return cls(role, {"fingerprint": hashlib.blake2b(content, digest_size=16).hexdigest()})

    @classmethod
    def of_folder(cls, root: Path, names: Sequence[str], *, role: str = "data") -> Input:
        """Images by their content."""
        return cls(role, {"fingerprint": fingerprint_folder(Path(root), names)}, str(root))


def key_of(stage: str, params: Mapping[str, Any], inputs: Sequence[Input]) -> str:
    """The key of a result of ``stage``; training stages keep it in the ``meta`` of their weights."""
    return make_key(stage, params, [{"role": one.role, **one.identity} for one in inputs])


def history(stage: str, params: Mapping[str, Any], inputs: Sequence[Input]) -> list[dict[str, Any]]:
    """Provenance of a result: that of all inputs, oldest first and each step once, then its own entry."""
    steps: dict[str, dict[str, Any]] = {}
    for one in inputs:
        for step in one.provenance:
            steps.setdefault(step["key"], dict(step))
    key = key_of(stage, params, inputs)
    described = []
    for one in inputs:
        last = one.provenance[-1] if one.provenance else None
        made = {"made_by": last["stage"], "made_key": last["key"]} if last else {}
        described.append({"role": one.role, "path": one.path, **one.identity, **made})
    steps[key] = provenance_entry(stage, params, described, key)
    return list(steps.values())


@dataclass(frozen=True)
class Header:
    """What stands before the payload of a record file.

    ``columns`` holds every head column by name, ``attributes`` the kind's own root attributes
    (such as ``layers``, decoded from JSON), and as they stand those that this version does not know.
    """

    payload: str
    dtype: str
    stage: str
    key: str
    params: Mapping[str, Any]
    classes: ClassList
    image_root: str
    inputs: Sequence[Mapping[str, str]]
    provenance: Sequence[Mapping[str, Any]]
    columns: Mapping[str, np.ndarray]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    #: columns behind the payload that this version does not know: name -> (dtype, shape)
    more_tail: Mapping[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.columns["image"])

    @cached_property
    def images(self) -> tuple[str, ...]:
        return tuple(name.decode() for name in self.columns["image"].tolist())

    @property
    def sizes(self) -> np.ndarray:
        """(N, 2) int32: rows and columns of each image."""
        return self.columns["size"]

    @property
    def shapes(self) -> np.ndarray:
        """(N, 3) int32."""
        return self.columns["shape"]

    @property
    def offsets(self) -> np.ndarray:
        """(N + 1,) int64, in payload elements."""
        return self.columns["offset"]

    @property
    def labels(self) -> np.ndarray | None:
        """(N, C) uint8 image-level labels, or None."""
        return self.columns.get("label")

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(self.attributes.get("layers", ("",)))

    def rows(self, i: int, index: str) -> slice:
        """Rows of image ``i`` in a column whose index is ``image``, ``layer``, ``map`` or ``box``."""
        if index in ("map", "box"):
            bounds = self.columns[f"{index}_offset"]
            return slice(int(bounds[i]), int(bounds[i + 1]))
        return slice(i, i + 1)

    def class_ids(self, i: int) -> np.ndarray:
        """Class ids of the maps of image ``i`` of a ``cam`` file."""
        return self.columns["map_class"][self.rows(i, "map")].astype(np.int64)

    def column_shape(self, index: str) -> tuple[int, ...]:
        """Shape of a column from its index in the schema, such as ``box x 4`` or ``image + 1``."""
        base, _, more = index.partition(" ")
        bounds = self.columns.get(f"{base}_offset")
        if base == "layer":
            shape: tuple[int, ...] = (len(self), len(self.layers))
        else:
            shape = (len(self),) if bounds is None else (int(bounds[-1]),)
        if more == "+ 1":
            return (shape[0] + 1,)
        width = more.removeprefix("x ")
        return (*shape, len(self.classes) if width == "class" else int(width)) if more else shape

    def tail_columns(self) -> dict[str, tuple[str, tuple[int, ...], str]]:
        """Tail columns in file order: name -> (dtype, shape, index); ``crc32`` is last."""
        own = {**COMMON_TAIL, **KINDS[self.payload].tail}
        tail = {k: (dtype, self.column_shape(index), index) for k, (dtype, index, _) in own.items()}
        tail["environment"] = (f"S{ENVIRONMENT_BYTES}", (1,), "file")
        for name, (dtype, shape) in self.more_tail.items():
            tail.setdefault(name, (dtype, shape, "file"))
        return {**tail, "crc32": ("uint32", (1,), "file")}

    def root_attributes(self) -> dict[str, Any]:
        """Root attributes as they stand in the file, sorted by name."""
        attributes: dict[str, Any] = {
            "wsstool_schema": SCHEMA,
            "stage": self.stage,
            "payload": self.payload,
            "key": self.key,
            "params": canonical_json(self.params),
            "classes": canonical_json(list(self.classes.names)),
            "background": self.classes.background,
            "palette": canonical_json(self.classes.palette),
            "image_root": self.image_root,
            "inputs": canonical_json(self.inputs),
            "provenance": canonical_json(self.provenance),
        }
        known = KINDS[self.payload].attributes
        for name, value in self.attributes.items():
            attributes[name] = (
                canonical_json(value) if name in known and not isinstance(value, int) else value
            )
        return dict(sorted(attributes.items()))

    def layout(self) -> Layout:
        """Plan the file: its first bytes and where the rest goes."""
        order = [*COMMON_HEAD, *KINDS[self.payload].head]
        names = [n for n in order if n in self.columns] + sorted(set(self.columns) - set(order))
        return plan(
            self.root_attributes(),
            {name: self.columns[name] for name in names},
            (self.payload, self.dtype, int(self.offsets[-1])),
            {name: (dtype, shape) for name, (dtype, shape, _) in self.tail_columns().items()},
        )


def new_header(
    payload: str,
    *,
    stage: str,
    params: Mapping[str, Any],
    inputs: Sequence[Input],
    images: Sequence[str],
    sizes: np.ndarray,
    shapes: np.ndarray,
    classes: ClassList,
    elements: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    image_root: object = "",
    columns: Mapping[str, np.ndarray] | None = None,
    attributes: Mapping[str, Any] | None = None,
    dtype: str | None = None,
) -> Header:
    """Describe a file that is about to be written.

    Args:
        payload: kind of file, one of ``schema.KINDS``.
        stage: the command that writes it.
        params: resolved options that change the result; they make the key.
        inputs: what it is made from.
        images: N names relative to the data folder, sorted and unique.
        sizes: (N, 2) rows and columns; (0, 0) marks an unreadable image.
        shapes: (N, 3) shape of each record.
        classes: the class list.
        elements: (N,) payload elements of each record; default: the product of ``shapes``.
        labels: (N, C) uint8 image-level labels, where known.
        image_root: data folder as typed.
        columns: further head columns of the kind (``map_class`` ...).
        attributes: further root attributes of the kind (``layers`` ...).
        dtype: of the payload; default: the kind's first.
    Raises:
        UsageError: no images.
        BadInputError: names that are not sorted, not unique or climb out of the data folder.
        ValueError: columns that do not fit together.
    """
    from wsstool.store.parse import check_columns

    if not len(images):
        raise UsageError(f"no images to {stage}")
    check_names(images)
    kind = KINDS[payload]
    shapes = np.asarray(shapes, np.int32).reshape(-1, 3)
    counts = np.prod(shapes, axis=1, dtype=np.int64) if elements is None else np.asarray(elements, np.int64)
    encoded = [name.encode() for name in images]
    all_columns: dict[str, np.ndarray] = {
        "image": np.array(encoded, f"S{max(map(len, encoded))}"),
        "size": np.asarray(sizes, np.int32).reshape(-1, 2),
        "offset": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        "shape": shapes,
    }
    if labels is not None:
        all_columns["label"] = np.asarray(labels, np.uint8)
    for name, column in (columns or {}).items():
        known = kind.head.get(name)
        all_columns[name] = np.asarray(column, known[0] if known else None)
    header = Header(
        payload=payload,
        dtype=dtype or kind.dtypes[0],
        stage=stage,
        key=key_of(stage, params, inputs),
        params=dict(params),
        classes=classes,
        image_root=str(image_root or ""),
        inputs=[{"role": one.role, **one.identity} for one in inputs],
        provenance=history(stage, params, inputs),
        columns=all_columns,
        attributes=dict(attributes or {}),
    )
    check_columns(header)
    return header


def check_names(images: Sequence[str]) -> None:
    """Raise BadInputError unless names are relative, stay inside the folder, are sorted and unique."""
    for name in images:
        if not name or name.startswith("/") or "\0" in name or ".." in name.split("/"):
            raise BadInputError(f"image name {name!r} leads out of its data folder")
    for before, after in pairwise(images):
        if before >= after:
            raise BadInputError(f"image names are not sorted and unique: {before!r} before {after!r}")
