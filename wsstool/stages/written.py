"""Whether a weights file already is what a training run would write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsstool.errors import WsstoolError
from wsstool.models.weights import load_weights
from wsstool.store.provenance import changed
from wsstool.types import Messages


def up_to_date(
    output: Path, key: str, params: Mapping[str, Any], messages: Messages
) -> dict[str, Any] | None:
    """The summary of the run that wrote ``output`` if it is the one asked for; else says what differs."""
    if not output.exists():
        return None
    try:
        meta = load_weights(output).meta
    except WsstoolError as error:
        messages.say(f"training again: {error}")
        return None
    if meta.get("key") == key:
        messages.say(f"up to date (key {key})")
        output.touch()  # for make
        return {"output": str(output), "key": key, "up_to_date": True, **meta.get("summary", {"failed": 0})}
    difference = changed(meta.get("params", {}), params) or "the data or the start weights differ"
    messages.say(f"training again: {difference}")
    return None
