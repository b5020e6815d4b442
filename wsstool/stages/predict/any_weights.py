"""``predict`` by what is there: masks of boxes by a contour network or for named boxes; else label maps."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsstool.errors import UsageError
from wsstool.models.weights import load_weights
from wsstool.stages.predict.label_maps import predict as predict_maps
from wsstool.stages.predict.objects import predict_objects


def predict(data: Path, *, weights: Path, **arguments: Any) -> dict[str, Any]:
    """Call ``stages.predict.label_maps.predict``, or ``predict_objects``, with its own options.

    The latter for a contour network, and for a segmenter with ``boxes``.

    Raises:
        UsageError: an option of the other one was set.
    """
    are_objects = load_weights(weights).meta.get("task") == "contour" or arguments.get("boxes") is not None
    chosen, other = (predict_objects, predict_maps) if are_objects else (predict_maps, predict_objects)
    own = inspect.signature(chosen).parameters
    foreign = {k: v for k, v in arguments.items() if k not in own}
    _refuse(foreign, inspect.signature(other).parameters, are_objects=are_objects)
    return chosen(data, weights=weights, **{k: v for k, v in arguments.items() if k in own})  # type: ignore[operator]


def _refuse(
    foreign: Mapping[str, Any], parameters: Mapping[str, inspect.Parameter], *, are_objects: bool
) -> None:
    for name, value in foreign.items():
        if value != parameters[name].default:
            option = "--" + {"settings": "set"}.get(name, name).replace("_", "-")
            kind = "masks of boxes" if are_objects else "label maps"
            raise UsageError(f"{option} has no meaning for {kind}, which these weights and options ask for")
