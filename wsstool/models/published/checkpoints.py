"""Metadata common to published weights files, which contain none themselves."""

from __future__ import annotations

from typing import Any


def without_names(n_outputs: int) -> dict[str, Any]:
    """Return class names and normalisation of a published tissue network: generic names, images in [0, 1].

    Example:
        >>> without_names(2)["classes"], without_names(2)["named"]
        (['class_0', 'class_1'], False)
    """
    return {
        "classes": [f"class_{i}" for i in range(n_outputs)],
        "named": False,
        "class_ids": list(range(n_outputs)),
        "background": -1,
        "palette": [],
        "mean": [0.0, 0.0, 0.0],
        "std": [1.0, 1.0, 1.0],
    }
