"""Initial weights: whole networks, backbones, and the class attention of a FAN."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from wsstool.errors import BadInputError
from wsstool.models.backbones import CLASSIFIER_PREFIXES, Backbone
from wsstool.models.backbones.frozen import OnBackbone
from wsstool.models.classifier import Classifier
from wsstool.models.fan.class_head import LAST_LAYERS
from wsstool.models.fan_classifier import FanClassifier
from wsstool.models.heads.segformer import ATTENDED
from wsstool.models.published.fan import check_size
from wsstool.models.recognise import fitting_backbones
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
    state = backbone.own_names(state)
    state = {k: v for k, v in state.items() if not k.startswith(CLASSIFIER_PREFIXES)}
    what = f"{weights.meta['what']}; " if "what" in weights.meta else ""
    try:
        load_state(backbone, state, f"{path} ({what}initial weights for {backbone.arch})")
    except BadInputError:
        _refuse_another_backbone(weights.state_dict, backbone.arch, path)
        raise


def _refuse_another_backbone(state_dict: Mapping[str, Tensor], arch: str, source: object) -> None:
    """Raise BadInputError if the weights are those of another backbone that is known."""
    found = [one for one in fitting_backbones(state_dict) if one != arch]
    if found:
        raise BadInputError(
            f"{source} holds the weights of {found[0]}, not of {arch}; did you mean --arch with {found[0]}?"
        )


def start_network(network: OnBackbone, state_dict: Mapping[str, Tensor], source: str) -> str:
    """Copy initial weights: a whole network of the same form, or the backbone of any other file.

    Returns:
        ``"network"`` or ``"backbone"``.

    Raises:
        BadInputError: a layer of the backbone is missing or has another shape.
    """
    own = network.state_dict()
    if own.keys() == state_dict.keys() and all(own[k].shape == v.shape for k, v in state_dict.items()):
        network.load_state_dict(dict(state_dict))
        return "network"
    backbone: Backbone = network.backbone  # type: ignore[assignment]
    bare = backbone.own_names({k.removeprefix("backbone."): v for k, v in state_dict.items()})
    wanted = network.backbone.state_dict()
    found = {k: bare[k] for k, v in wanted.items() if k in bare and bare[k].shape == v.shape}
    missing = [k for k in wanted if k not in found and not k.endswith("num_batches_tracked")]
    if missing:
        _refuse_another_backbone(state_dict, str(network.backbone.arch), source)
        kept = [k for k in bare if not k.startswith(CLASSIFIER_PREFIXES)]
        raise BadInputError(
            f"{source} ({len(kept)} tensors) cannot initialise {network.backbone.arch}: {len(missing)} of "
            f"its {len(wanted)} tensors are missing or have a different shape, such as '{missing[0]}'"
        )
    network.backbone.load_state_dict(found, strict=False)
    return "backbone"
