"""Load trained classifiers, from wsstool or published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from wsstool.errors import BadInputError
from wsstool.models.recognise import foreign_weights_error
from wsstool.models.weights import UndescribedError, Weights, build_from_weights
from wsstool.stages.networks.output_names import named_outputs
from wsstool.types import ClassList


def load_classifier(
    path: Path, classes: ClassList, *, is_named: bool = False, weights: Weights | None = None
) -> tuple[nn.Module, dict[str, Any]]:
    """The classifier of a weights file, in eval mode on the CPU, and its description, with class names.

    Args:
        path: weights file.
        classes, is_named: source of the class names of a published file, see ``named_outputs``.
        weights: result of ``load_weights`` for the file, if it has been read already.

    Raises:
        MissingInputError: no such file.
        BadInputError: a segmenter or another network; a bare state dict; damaged; or ``classes`` has another
            number of classes.
    """
    try:
        model, meta = build_from_weights(path, weights)
    except UndescribedError as error:
        raise foreign_weights_error(path, "wsstool train-cls DATA --arch {}", "a classifier") from error
    if meta["task"] != "classification":
        others = {
            "segmentation": "a segmenter",
            "contour": "a contour network",
            "referring": "a network that reads sentences",
        }
        what = others.get(meta["task"], meta["task"])
        raise BadInputError(f"'{path}' is {what}, not a classifier; train one with 'wsstool train-cls'")
    named, ids = named_outputs(meta, classes, path, is_named=is_named)
    return model, {
        **meta,
        "classes": list(named.names),
        "class_ids": ids,
        "background": named.background,
        "palette": [list(colour) for colour in named.palette],
        "named": True,
    }
