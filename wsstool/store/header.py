"""The header of a record file: everything that is known before the first record is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from wsstool.store.layout import Layout, plan
from wsstool.store.provenance import Input, canonical_json
from wsstool.store.schema import (
    COMMON_HEAD,
    COMMON_TAIL,
    FIRST_SCHEMA,
    KINDS,
    NUMBER_ATTRIBUTES,
    SENTENCE_SCHEMA,
)
from wsstool.types import ClassList

ENVIRONMENT_BYTES = 1024
_MADE = ("wsstool_schema", "stage", "payload", "key", "params", "inputs", "provenance")
ROOT_ATTRIBUTES = (*_MADE, "classes", "background", "palette", "image_root")


@dataclass(frozen=True)
class Header:
    """Contents of a record file before its payload.

    ``columns`` has every head column by name, ``attributes`` the root attributes of the kind (such as
    ``layers``, decoded from JSON), and, undecoded, those unknown to this version.
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
    #: columns after the payload that are unknown to this version: name -> (dtype, shape)
    more_tail: Mapping[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.columns["image"])

    @cached_property
    def images(self) -> tuple[str, ...]:
        return tuple(name.decode() for name in self.columns["image"].tolist())

    @property
    def sizes(self) -> np.ndarray:
        """Rows and columns of each image, (N, 2) int32."""
        return self.columns["size"]

    @property
    def shapes(self) -> np.ndarray:
        """(N, 3) int32."""
        return self.columns["shape"]

    @property
    def offsets(self) -> np.ndarray:
        """Offset of each record in payload elements, (N + 1,) int64."""
        return self.columns["offset"]

    @property
    def labels(self) -> np.ndarray | None:
        """Image-level labels, (N, C) uint8, or None."""
        return self.columns.get("label")

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(self.attributes.get("layers", ("",)))

    @cached_property
    def sentences(self) -> tuple[str, ...] | None:
        """The sentence of each entry of the box columns; None: the entries are objects."""
        column = self.columns.get("sentence")
        return None if column is None else tuple(text.decode() for text in column.tolist())

    @cached_property
    def windows(self) -> np.ndarray:
        """(B, 4) xyxy of the part of the image that each entry of the box columns shows; in a ``mask`` file,
        where each entry is a sentence, all of it."""
        if "window" in self.columns:
            return self.columns["window"]
        whole = np.concatenate([np.zeros_like(self.sizes), self.sizes[:, ::-1]], 1)
        return np.repeat(whole, np.diff(self.columns["box_offset"]), axis=0)

    @property
    def schema(self) -> int:
        """The first schema version that has all columns of the file."""
        return FIRST_SCHEMA if "sentence" not in self.columns else SENTENCE_SCHEMA

    @property
    def has_unknown_parts(self) -> bool:
        """Whether the file has columns or attributes that this version does not know."""
        kind = KINDS[self.payload]
        columns = set(self.columns) - {*COMMON_HEAD, *kind.head}
        attributes = set(self.attributes) - {*kind.attributes, *NUMBER_ATTRIBUTES}
        return bool(columns or self.more_tail or attributes)

    @property
    def normalisation(self) -> str | None:
        """Normalisation that suits the maps of a ``cam`` file; None: maps of any scale, as CAMs are."""
        if self.attributes.get("values") == "probability":
            return "none"
        return "probability" if self.stage == "predict" else None

    def rows(self, i: int, index: str) -> slice:
        """Return the rows of image ``i`` in a column with index ``image``, ``layer``, ``map`` or ``box``."""
        if index in ("map", "box"):
            bounds = self.columns[f"{index}_offset"]
            return slice(int(bounds[i]), int(bounds[i + 1]))
        return slice(i, i + 1)

    def class_ids(self, i: int) -> np.ndarray:
        """Return the class ids of the maps of image ``i`` of a ``cam`` file."""
        return self.columns["map_class"][self.rows(i, "map")].astype(np.int64)

    def column_shape(self, index: str) -> tuple[int, ...]:
        """Return the shape of a column from its index in the schema, such as ``box x 4`` or ``image + 1``."""
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
        """Return the tail columns in file order: name -> (dtype, shape, index); ``crc32`` is last."""
        own = {**COMMON_TAIL, **KINDS[self.payload].tail}
        tail = {k: (dtype, self.column_shape(index), index) for k, (dtype, index, _) in own.items()}
        tail["environment"] = (f"S{ENVIRONMENT_BYTES}", (1,), "file")
        for name, (dtype, shape) in self.more_tail.items():
            tail.setdefault(name, (dtype, shape, "file"))
        return {**tail, "crc32": ("uint32", (1,), "file")}

    def root_attributes(self) -> dict[str, Any]:
        """Return the root attributes as stored in the file, sorted by name."""
        attributes: dict[str, Any] = {
            "wsstool_schema": self.schema,
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

    def as_input(self, role: str = "input", path: object = None) -> Input:
        """Describe the file as the input of another stage.

        Args:
            role: ``input`` for a positional input, else the name of the option.
            path: as typed; anything but a path, such as a pipe, is left out of rebuilt commands.
        """
        typed = "" if path == "-" or not isinstance(path, str | Path) else str(path)
        return Input(role, {"key": self.key}, typed, tuple(self.provenance))

    def layout(self) -> Layout:
        """Plan the file: its first bytes and the offsets of the rest."""
        order = [*COMMON_HEAD, *KINDS[self.payload].head]
        names = [n for n in order if n in self.columns] + sorted(set(self.columns) - set(order))
        return plan(
            self.root_attributes(),
            {name: self.columns[name] for name in names},
            (self.payload, self.dtype, int(self.offsets[-1])),
            {name: (dtype, shape) for name, (dtype, shape, _) in self.tail_columns().items()},
        )
