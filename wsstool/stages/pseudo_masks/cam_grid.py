"""Class maps of an empty image: what a method returns, known before the output file is laid out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from wsstool.cams import Cams
from wsstool.errors import UsageError
from wsstool.models.layers import check_map_layers, parts_of, spelled

PROBE = (256, 128)
"""Rows and columns of the empty image that goes through the network; unequal, to know maps by their shape."""


def empty_maps(method: Callable[..., Cams], model: nn.Module, layers: Sequence[str], n_classes: int) -> Cams:
    """Run a method once, on an empty image.

    Whatever it refuses, such as a layer that it cannot use or a value of one of its options, is refused
    before there is an output.

    Args:
        method: of the cams family, with its options.
        model: the classifier, on its device.
        layers: names of layers.
        n_classes: outputs of the classifier.

    Raises:
        UsageError: an unknown or repeated layer, or one without a map over the image; see the method.
    """
    check_map_layers(model, layers)
    sides = probe_sides(model)
    x = torch.zeros(1, 3, *sides, device=next(model.parameters()).device)
    found = method(model, x, torch.zeros(1, n_classes, dtype=torch.bool, device=x.device), layers)
    for name, one in zip(layers, found.maps, strict=True):
        rows, columns = one.shape[2:]
        if (rows, columns) == (1, 1) or abs(rows - columns * sides[0] // sides[1]) > 2:
            raise UsageError(
                f"layer '{name}' has no spatial map; layers with maps: {spelled(parts_of(model))}"
            )
    return found


def probe_sides(model: nn.Module) -> tuple[int, int]:
    """Return rows and columns of the empty image: ``PROBE``, or the next multiples that the network needs."""
    multiple: int = getattr(model, "input_multiple", 1)  # type: ignore[assignment]
    rows, columns = (-(-n // multiple) * multiple for n in PROBE)
    return rows, columns


def map_strides(found: Cams, scales: Sequence[float], given: int | None, rows: int = PROBE[0]) -> list[int]:
    """Return the cell size of the maps of each layer: as given, the layer's own, or 4 for several scales.

    Args:
        found: of ``empty_maps``.
        scales: of the image.
        given: pixels per cell, or None.
        rows: of the empty image, see ``probe_sides``.

    Returns:
        One number of pixels per layer.
    """
    if given is not None or len(scales) > 1:
        return [given or 4] * len(found.maps)
    return [max(1, round(rows / one.shape[2] / scales[0])) for one in found.maps]
