"""Open an image tower with class vectors as a classifier of the classes of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from wsstool.data.class_match import joined_classes
from wsstool.data.classlist import class_list, with_background
from wsstool.data.formats.class_vectors import ClassVectors
from wsstool.errors import BadInputError
from wsstool.models.image_text.classifier import TextClassifier
from wsstool.models.image_text.tower import tower_backbone
from wsstool.models.weights import Weights
from wsstool.types import IMAGENET_MEAN, IMAGENET_STD, ClassList


def classes_of_vectors(vectors: ClassVectors) -> ClassList:
    """Return the class list of class vectors alone: a background, and the classes in their order."""
    return with_background(vectors.names)


def matched_vectors(
    vectors: ClassVectors, classes: ClassList, what: str
) -> tuple[ClassList, list[int], np.ndarray]:
    """Match class vectors with the classes of a data set, by name.

    Args:
        vectors: read from a file.
        classes: of the data set; empty if it has none.
        what: the owners of both, for the message: "'vectors.npz' and 'data/'".

    Returns:
        The class list: that of the data set, with the classes that it lacks at its end; the id of each class
        with a vector, ascending; and the (C,D) vectors in that order.

    Raises:
        BadInputError: a class of the data set has no vector.
    """
    known = classes if classes.names else classes_of_vectors(vectors)
    joined, ids = joined_classes(known, class_list(vectors.names), what)
    if missing := [joined.names[i] for i in joined.foreground if i not in ids]:
        raise BadInputError(f"{what}: there is no vector for {', '.join(missing[:5])}")
    order = np.argsort(ids)
    return joined, ids[order].tolist(), vectors.vectors[order]


def text_classifier(
    arch: str, weights: Weights, path: Path, vectors: ClassVectors, classes: ClassList, what: str
) -> tuple[TextClassifier, dict[str, Any]]:
    """Build the classifier, in eval mode on the CPU, and its description as of ``load_classifier``.

    Args:
        arch: of the image tower, ``timm:NAME``.
        weights: of the tower.
        path: of the weights, for messages.
        vectors, classes, what: see ``matched_vectors``.

    Raises:
        UsageError, BadInputError: see ``matched_vectors`` and ``tower_backbone``.
    """
    joined, ids, rows = matched_vectors(vectors, classes, what)
    backbone = tower_backbone(arch, weights, rows.shape[1], path)
    model = TextClassifier(backbone, torch.from_numpy(rows), torch.from_numpy(vectors.background))
    own = backbone.statistics
    return model.eval(), {
        "classes": list(joined.names),
        "class_ids": ids,
        "background": joined.background,
        "palette": [list(colour) for colour in joined.palette],
        "mean": list(own.mean if own else IMAGENET_MEAN),
        "std": list(own.std if own else IMAGENET_STD),
    }
