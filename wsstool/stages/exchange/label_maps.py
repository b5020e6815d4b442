"""The label maps of a ``mask`` file as palette PNGs, with their class list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from wsstool import store
from wsstool.data.classlist import write_class_list
from wsstool.data.listing import checked_name, without_suffix
from wsstool.data.masks import write_mask
from wsstool.errors import UsageError
from wsstool.stages.exchange.file_names import unique
from wsstool.types import Messages, tracked

CLASS_FILE = "classes.txt"


def write_label_maps(
    reader: store.Reader,
    target: Path,
    *,
    layer: str | None,
    prefix: str | None,
    flat: bool,
    messages: Messages,
) -> int:
    """Write ``NAME.png`` for every mask below a folder; returns how many images have one.

    Masks in which no pixel is known get no file. Arguments and errors: see ``export``.
    """
    header = reader.header
    layers = chosen_layers(header.layers, layer, prefix)
    names = [without_suffix(checked_name(name, "the input")) + ".png" for name in header.images]
    if flat:
        names = [PurePosixPath(name).name for name in names]
    unique(names, header.images)
    empty = 0
    target.mkdir()
    write_class_list(target / CLASS_FILE, header.classes)
    for record in tracked(reader.records(), messages, len(header), "masks"):
        if record.failed:  # or with nothing known: both are 255 throughout, the status tells
            empty += 1
            continue
        for k, folder in layers:
            path = target / folder / names[record.index]
            path.parent.mkdir(parents=True, exist_ok=True)
            write_mask(path, np.ascontiguousarray(record.data[k]), header.classes)
    unknown = empty - int((reader.tail["status"] != store.DONE).sum())
    if unknown > 0:
        messages.warn(f"left out {unknown} masks without labelled pixels")
    return len(names) - empty


def chosen_layers(layers: Sequence[str], chosen: str | None, prefix: str | None) -> list[tuple[int, str]]:
    """Return (number, folder below the output) of the layers to write.

    Raises:
        UsageError: an unknown layer.
    """
    if chosen is not None and chosen not in layers:
        raise UsageError(f"--layer {chosen}: unknown layer; the layers are: {', '.join(layers)}")
    numbers = range(len(layers)) if chosen is None else [list(layers).index(chosen)]
    if len(numbers) == 1 and prefix is None:
        return [(numbers[0], "")]
    return [(k, checked_name(f"{prefix or ''}{layers[k]}", "the output")) for k in numbers]
