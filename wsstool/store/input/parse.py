"""Parse raw attributes and columns into a Header, validating everything first.

HDF5 does not checksum column data, and the file's own checksum is known only at the end of a stream. A header
that passes these checks can be used at once: no reshape, index or allocation that follows from it can fail.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from wsstool.errors import BadInputError
from wsstool.store.checks import check_columns, check_names, require
from wsstool.store.header import ROOT_ATTRIBUTES, Header
from wsstool.store.schema import KINDS
from wsstool.types import ClassList

_TEXTS = ("stage", "payload", "key", "image_root")


def parse_header(
    attributes: Mapping[str, Any],
    columns: Mapping[str, np.ndarray],
    dtype: str,
    more_tail: Mapping[str, tuple[str, tuple[int, ...]]],
) -> Header:
    """Parse the Header of a file from its raw attributes and head columns, and check its consistency.

    Args:
        attributes: root attributes; texts decoded.
        columns: head columns.
        dtype: of the payload.
        more_tail: columns after the payload that are not in the schema: name -> (dtype, shape).
    Raises:
        BadInputError: any inconsistency.
    """
    try:
        require(all(isinstance(attributes[name], str) for name in _TEXTS), "attributes")
        classes = ClassList(
            tuple(json.loads(attributes["classes"])),
            int(attributes["background"]),
            tuple(tuple(rgb) for rgb in json.loads(attributes.get("palette", "[]"))),
        )
        known = KINDS[attributes["payload"]].attributes
        own = {
            name: json.loads(value) if name in known and isinstance(value, str) else _plain(value)
            for name, value in attributes.items()
            if name not in ROOT_ATTRIBUTES
        }
        header = Header(
            payload=attributes["payload"],
            dtype=dtype,
            stage=attributes["stage"],
            key=attributes["key"],
            params=json.loads(attributes["params"]),
            classes=classes,
            image_root=attributes["image_root"],
            inputs=json.loads(attributes["inputs"]),
            provenance=json.loads(attributes["provenance"]),
            columns=dict(columns),
            attributes=own,
            more_tail=more_tail,
        )
        require(int(attributes["wsstool_schema"]) == header.schema, "wsstool_schema and sentence")
        require(all(isinstance(name, str) for name in classes.names), "classes")
        require(-1 <= classes.background < len(classes), "background")
        require(isinstance(header.params, dict), "params")
        require(all(isinstance(one["role"], str) for one in header.inputs), "inputs")
        require(all(isinstance(one["key"] + one["command"], str) for one in header.provenance), "provenance")
        check_columns(header)
        check_names(header.images)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise BadInputError(f"its header is damaged ({type(error).__name__}: {error})") from error
    return header


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, np.integer) else value
