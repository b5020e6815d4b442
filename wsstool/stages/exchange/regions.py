"""The regions of label maps as objects: connected pixels of one class."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from wsstool import store
from wsstool.data.geometry.components import components
from wsstool.data.geometry.instances import AnnotatedImage, Instance
from wsstool.errors import UsageError
from wsstool.stages.exchange.label_maps import chosen_layers
from wsstool.types import IGNORE, Messages


def annotated_regions(
    reader: store.Reader, names: Sequence[str], layer: str | None, min_area: int, messages: Messages
) -> Iterator[AnnotatedImage]:
    """Yield the images of a ``mask`` file with their regions, numbered from 1 through the whole file.

    Background has no regions; ignored pixels belong to none. Regions have the score 1: label maps have no
    scores.

    Args:
        reader: the file.
        names: of the images in the output.
        layer: name of the layer, needed if there are several.
        min_area: smaller regions are left out, pixels.
        messages: is told how many were.

    Raises:
        UsageError: several layers and none named, or an unknown one.
    """
    header = reader.header
    chosen = one_layer(header.layers, layer)
    number = small = 0
    for record in reader.records():
        labels = np.full(record.size, IGNORE, np.uint8) if record.failed else record.data[chosen]
        regions = []
        for class_id, window, mask in components(labels, (IGNORE, header.classes.background)):
            if mask.sum() < min_area:
                small += 1
                continue
            number += 1
            regions.append(Instance.of(header.classes.names[class_id], mask, window, number, window))
        void = labels == IGNORE
        packed = zlib.compress(void.tobytes(), 1) if void.any() else b""
        yield AnnotatedImage(names[record.index], record.size, tuple(regions), packed)
    if small:
        messages.say(f"left out {small} regions of fewer than {min_area} pixels")


def one_layer(layers: Sequence[str], name: str | None) -> int:
    """Return the number of the layer of that name, or of the only one.

    Raises:
        UsageError: several layers and none named, or an unknown one.
    """
    chosen = chosen_layers(layers, name, None)
    if len(chosen) > 1:
        raise UsageError(f"the input has several layers; choose one with --layer: {', '.join(layers)}")
    return chosen[0][0]
