"""Whether a weights file already is what a training run would write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsstool.errors import CannotWriteError, WsstoolError
from wsstool.models.weights import load_weights
from wsstool.store.provenance import changed
from wsstool.types import Messages

ZIP = b"PK\x03\x04"
"""How weights files begin; a damaged one may be replaced."""


def up_to_date(
    output: Path, key: str, params: Mapping[str, Any], messages: Messages, *, task: str
) -> dict[str, Any] | None:
    """The summary of the run that wrote ``output`` if it is the one asked for; else says what differs.

    Raises:
        CannotWriteError: ``output`` is something else, which must not be replaced by accident.
    """
    if not output.exists() or output.stat().st_size == 0:
        return None
    try:
        meta = load_weights(output).meta
    except WsstoolError as error:
        with open(output, "rb") as file:
            if not file.read(4).startswith(ZIP):
                raise CannotWriteError(
                    f"'{output}' exists and is no weights file; remove it first, or use --force"
                ) from None
        messages.say(f"training again: {error}")
        return None
    if meta.get("task", task) != task:
        raise CannotWriteError(
            f"'{output}' holds weights for {meta['task']}, not for {task}; remove it first, or use --force"
        )
    if meta.get("key") == key:
        messages.say(f"up to date (key {key})")
        output.touch()  # for make
        return {"output": str(output), "key": key, "up_to_date": True, **meta.get("summary", {"failed": 0})}
    difference = changed(meta.get("params", {}), params) or "the data or the start weights differ"
    messages.say(f"training again: {difference}")
    return None
