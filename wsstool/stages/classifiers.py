"""Trained classifiers for the stages that read them: ours, or published ones, whose classes have no names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from wsstool.data.formats.file_name import BCSS_CLASSES, LUAD_CLASSES
from wsstool.errors import BadInputError
from wsstool.models.weights import build_from_weights
from wsstool.types import ClassList

PUBLISHED_SETS = {"luad": LUAD_CLASSES, "bcss": BCSS_CLASSES}
"""What the name of a published file says -> its classes in order."""


def load_classifier(path: Path, classes: ClassList | None = None) -> tuple[nn.Module, dict[str, Any]]:
    """The classifier of a weights file, in eval mode on the CPU, and its description.

    A published file does not name its classes: they are those of ``classes``; else those of LUAD-HistoSeg or
    BCSS-WSSS where the name of the file holds ``luad`` or ``bcss``; else ``class_0``, ``class_1``, ...

    Args:
        path: weights file.
        classes: names for the classes of a published file; others have their own.

    Raises:
        MissingInputError: no such file.
        BadInputError: a segmenter; damaged; or ``classes`` has another number of classes.
    """
    model, meta = build_from_weights(path)
    if meta["task"] != "classification":
        raise BadInputError(f"'{path}' is a segmenter, not a classifier, which 'wsstool train-cls' makes")
    if meta.get("named", True):
        return model, meta
    known = next((found for word, found in PUBLISHED_SETS.items() if word in path.name.lower()), None)
    named = classes if classes is not None and classes.names else known
    if named is None:
        return model, meta
    if len(named.foreground) != len(meta["class_ids"]):
        raise BadInputError(
            f"'{path}' has {len(meta['class_ids'])} classes, the class list {len(named.foreground)}; "
            "name the right --class-list"
        )
    return model, {
        **meta,
        "classes": list(named.names),
        "class_ids": list(named.foreground),
        "background": named.background,
        "palette": [list(colour) for colour in named.palette],
        "named": True,
    }
