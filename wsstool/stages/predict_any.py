"""``predict`` by what the weights are: label maps by a segmenter, instance masks by a contour network."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsstool.errors import UsageError
from wsstool.models.weights import load_weights
from wsstool.stages.predict import predict as predict_maps
from wsstool.stages.predict_objects import predict_objects


def predict(data: Path, *, weights: Path, **arguments: Any) -> dict[str, Any]:
    """Call ``stages.predict.predict``, or for a contour network ``predict_objects``, with its own options.

    Raises:
        UsageError: an option of the other one was set.
    """
    is_contour = load_weights(weights).meta.get("task") == "contour"
    chosen, other = (predict_objects, predict_maps) if is_contour else (predict_maps, predict_objects)
    own = inspect.signature(chosen).parameters
    foreign = {k: v for k, v in arguments.items() if k not in own}
    _refuse(foreign, inspect.signature(other).parameters, is_contour=is_contour)
    return chosen(data, weights=weights, **{k: v for k, v in arguments.items() if k in own})  # type: ignore[operator]


def _refuse(
    foreign: Mapping[str, Any], parameters: Mapping[str, inspect.Parameter], *, is_contour: bool
) -> None:
    for name, value in foreign.items():
        if value != parameters[name].default:
            option = "--" + {"settings": "set"}.get(name, name).replace("_", "-")
            kind = "a contour network" if is_contour else "a segmenter"
            raise UsageError(f"{option} has no meaning with these weights, which are of {kind}")
