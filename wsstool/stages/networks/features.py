"""Features of a frozen backbone, for methods that compare positions of an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from wsstool import store
from wsstool.errors import BadInputError, UsageError
from wsstool.models.backbones import Backbone, build_backbone, default_output_stride
from wsstool.models.backbones.layout import Statistics
from wsstool.models.initial_weights import load_backbone
from wsstool.models.weights import Weights, build_from_weights, load_weights
from wsstool.pretrained.folder import named_weights
from wsstool.runtime import pick_device
from wsstool.stages.options.networks.features import FeatureNetwork
from wsstool.training.tag_probe import views
from wsstool.types import IMAGENET_MEAN, IMAGENET_STD


@dataclass(frozen=True)
class Features:
    """A backbone in eval mode on its device, its input statistics, and the scale at which it sees an image.

    Called with an (H, W, 3) uint8 image it returns its last feature map, (F, h, w) float32.
    """

    backbone: Backbone
    mean: list[float]
    std: list[float]
    scale: float
    inputs: tuple[store.Input, ...]

    @torch.no_grad()
    def __call__(self, image: np.ndarray) -> np.ndarray:
        device = next(self.backbone.parameters()).device
        (x,) = views(image, (self.scale,), self.mean, self.std, device)
        return np.asarray(self.backbone(x)[0].float().cpu().numpy())


def open_features(options: FeatureNetwork) -> Features | None:
    """Open the network of ``--weights``, or of ``--init`` and ``--arch``; None where neither is given.

    Raises:
        UsageError: both, or ``--init`` without the network that it is for.
        MissingInputError: no such file.
        BadInputError: weights of another network, or of one without a backbone for RGB images.
    """
    path = options.weights
    if options.init is not None:
        if options.weights:
            raise UsageError("--weights and --init exclude each other: one network gives the features")
        if options.arch is None:
            raise UsageError("--init needs --arch, the backbone that it holds, such as mobilenet-v2")
        path = named_weights(options.init, options.arch)
    if path is None:
        return None
    weights = load_weights(path)
    if options.weights:
        model, meta = build_from_weights(path, weights)
        backbone = getattr(model, "backbone", None)
        if not isinstance(backbone, Backbone) or meta.get("channel_order", "rgb") != "rgb":
            raise BadInputError(f"'{path}' has no backbone whose features can be used")
        role = "weights"
    else:
        backbone, meta, role = _started(options, weights, path), weights.meta, "init"
    own = backbone.statistics or Statistics(IMAGENET_MEAN, IMAGENET_STD)
    history = weights.meta.get("provenance", ())
    return Features(
        backbone.eval().to(pick_device(options.device), memory_format=backbone.memory_format),  # type: ignore[call-overload]
        list(meta.get("mean", own.mean)),
        list(meta.get("std", own.std)),
        options.feature_scale,
        (store.Input.of_file(path, role=role, provenance=history),),
    )


def _started(options: FeatureNetwork, weights: Weights, path: Path) -> Backbone:
    assert options.arch is not None
    stride = options.output_stride
    backbone = build_backbone(
        options.arch, output_stride=default_output_stride(options.arch) if stride is None else stride
    )
    load_backbone(backbone, weights, path)
    return backbone
