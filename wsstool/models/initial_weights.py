"""Initial weights of classifiers: the backbone, and the class attention of a FAN."""

from __future__ import annotations

from pathlib import Path

from wsstool.models.backbones import CLASSIFIER_PREFIXES, Backbone
from wsstool.models.classifier import Classifier
from wsstool.models.fan.class_head import LAST_LAYERS
from wsstool.models.fan_classifier import FanClassifier
from wsstool.models.heads.segformer import ATTENDED
from wsstool.models.published.fan import check_size
from wsstool.models.weights import Weights, load_state, load_weights


def load_start(
    classifier: Classifier | FanClassifier, path: Path | str, weights: Weights | None = None
) -> None:
    """Start a classifier from a file: its backbone, and of a FAN the class attention too, if it is there.

    The last layers, which know the classes, are left as they are.

    Args:
        classifier: changed in place.
        path: the file.
        weights: result of ``load_weights`` for it, if it has been read already.

    Raises:
        MissingInputError: no such file.
        BadInputError: not a weights file, or of another architecture.
    """
    weights = weights or load_weights(path)
    state = {k.replace(f"backbone.{ATTENDED}.", "head."): v for k, v in weights.state_dict.items()}
    load_backbone(classifier.backbone, Weights(state, weights.meta), path)  # type: ignore[arg-type]
    found = {k.removeprefix("head."): v for k, v in state.items() if k.startswith("head.")}
    if isinstance(classifier, FanClassifier) and "cls_token" in found:
        own = classifier.head.state_dict()
        of_segmenter = "norm.weight" not in found and "head.weight" not in found
        kept = (*LAST_LAYERS, "norm.") if of_segmenter else LAST_LAYERS
        first = {k: v for k, v in found.items() if not k.startswith(LAST_LAYERS)}
        last = {k: v for k, v in own.items() if k.startswith(kept)}
        load_state(classifier.head, first | last, f"{path} (initial weights for {classifier.backbone.arch})")


def load_backbone(backbone: Backbone, weights: Weights, path: Path | str) -> None:
    """Load initial weights into a backbone.

    Accepts torchvision's state dict (without its classifier), weights of ours, the published stage 1 of
    WSSS-Tissue, and the MXNet file from which its training started.

    Raises:
        BadInputError: weights of another architecture; ``path`` names them.
    """
    state = weights.state_dict
    check_size(backbone.arch, state, path)
    if any(name.startswith("backbone.") for name in state):
        state = {k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")}
    state = {k: v for k, v in state.items() if not k.startswith(CLASSIFIER_PREFIXES)}
    what = f"{weights.meta['what']}; " if "what" in weights.meta else ""
    load_state(backbone, state, f"{path} ({what}initial weights for {backbone.arch})")
