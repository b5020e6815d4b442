"""Networks that take plain pixels: normalisation, padding and cropping inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsstool.models.class_probabilities import cropped, padded
from wsstool.models.classifier import Classifier, normalise
from wsstool.models.contour import ContourNet
from wsstool.models.fan_classifier import FanClassifier
from wsstool.models.heads.upscore import Upscore

WORDS = 20
"""Words of an encoded sentence; shorter ones are padded with 0 on the left."""


class OnPixels(nn.Module):
    """A network that normalises its input itself.

    Args:
        network: any trained one; it is frozen.
        mean, std: of the three channels, for images in [0, 1].

    Attributes:
        inputs, outputs: name -> type, shape and meaning, in the order of ``forward``.
        activation: what turns ``logits`` into probabilities: softmax over axis 1, or sigmoid.
    """

    inputs: dict[str, str] = {"image": "uint8 (B,3,H,W), RGB, 0 to 255"}  # noqa: RUF012 - never changed in place
    outputs: dict[str, str] = {}  # noqa: RUF012
    activation = "softmax"

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.mean, self.std = list(mean), list(std)
        for module in network.modules():
            if isinstance(module, Upscore):
                module.settle()

    @property
    def stride(self) -> int:
        """Pixels per cell of the coarsest map."""
        return int(self.network.backbone.stride)  # type: ignore[union-attr, arg-type]

    def example(self, batch: int, rows: int, columns: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draw random inputs of this size."""
        return (_random_pixels(generator, batch, rows, columns),)

    def normalised(self, image: Tensor) -> Tensor:
        """Return the input of the network, float32."""
        return normalise(image, self.mean, self.std)


class SegmenterOnPixels(OnPixels):
    """A segmenter, with the class id of every pixel beside the logits.

    Args:
        network, mean, std: see ``OnPixels``.
        class_ids: of the outputs.
    """

    class_ids: Tensor
    outputs = {  # noqa: RUF012
        "logits": "float32 (B,C,H,W), at the size of the image",
        "mask": "uint8 (B,H,W), the class id of the largest logit",
    }

    def __init__(
        self, network: nn.Module, mean: Sequence[float], std: Sequence[float], class_ids: Sequence[int]
    ) -> None:
        super().__init__(network, mean, std)
        self.register_buffer("class_ids", torch.tensor(class_ids, dtype=torch.uint8))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B,3,H,W) uint8 or float, 0 to 255 -> logits (B,C,H,W) and class ids (B,H,W)."""
        multiple: int = self.network.input_multiple  # type: ignore[assignment]
        seen = padded(self.normalised(image), multiple)
        logits = cropped(self.network(seen), image.shape[-2:]).float()
        return logits, self.class_ids[logits.argmax(1)]


class ClassifierOnPixels(OnPixels):
    """A classifier, with its class maps where it has them."""

    outputs = {  # noqa: RUF012
        "logits": "float32 (B,C)",
        "class_maps": "float32 (B,C,h,w), the logits at every position of the last feature map",
    }

    def __init__(
        self, network: nn.Module, mean: Sequence[float], std: Sequence[float], *, single_label: bool = False
    ) -> None:
        super().__init__(network, mean, std)
        self.activation = "softmax" if single_label else "sigmoid"
        if isinstance(network, FanClassifier) and network.head.aux_head is None:
            self.outputs = {"logits": self.outputs["logits"]}

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(B,3,H,W) uint8 or float, 0 to 255 -> logits (B,C) and class maps (B,C,h,w)."""
        x = self.normalised(image)
        if len(self.outputs) == 1:
            return (self.network(x),)
        if isinstance(self.network, FanClassifier):
            return self.network.with_token_maps(x)
        assert isinstance(self.network, Classifier)
        features = self.network.features(x)
        return self.network.logits(features), self.network.head(features).float()


class ContourOnPixels(OnPixels):
    """A contour network: crops around boxes in, one map per crop out."""

    outputs = {"logits": "float32 (B,H,W), of the object, at the size of the crop"}  # noqa: RUF012
    activation = "sigmoid"

    def __init__(self, network: ContourNet, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__(network, mean, std)
        conditions = {
            "class": "int64 (B,), the class of each object",
            "vector": f"float32 (B,{getattr(network.steer, 'in_features', 0)}), one vector per object",
        }
        if network.condition != "none":
            self.inputs = {**self.inputs, "condition": conditions[network.condition]}

    def example(self, batch: int, rows: int, columns: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draw random inputs of this size."""
        network: Any = self.network
        image = _random_pixels(generator, batch, rows, columns)
        if network.condition == "class":
            numbers = torch.randint(0, network.embed.num_embeddings, (batch,), generator=generator)
            return image, numbers
        if network.condition == "vector":
            return image, torch.randn(batch, network.steer.in_features, generator=generator)
        return (image,)

    def forward(self, image: Tensor, condition: Tensor | None = None) -> tuple[Tensor]:
        """(B,3,H,W) uint8 or float, 0 to 255, and a condition if it needs one -> logits (B,H,W)."""
        logits = self.network(self.normalised(image), condition)[:, None]
        size = image.shape[-2:]
        return (F.interpolate(logits, size=size, mode="bilinear", align_corners=False)[:, 0],)


class ReferringOnPixels(OnPixels):
    """A network that reads sentences: one square image and several sentences in, one map per sentence out.

    Args:
        network, mean, std: see ``OnPixels``.
        side: S, of the image, pixels.
        n_words: size of the vocabulary.
    """

    activation = "sigmoid"

    def __init__(
        self, network: nn.Module, mean: Sequence[float], std: Sequence[float], side: int, n_words: int
    ) -> None:
        super().__init__(network, mean, std)
        self.side, self.n_words = side, n_words
        self.inputs = {
            "image": f"uint8 (1,3,{side},{side}), RGB, 0 to 255, resized to this square",
            "words": f"int64 (N,{WORDS}), indices in the vocabulary, padded with 0 on the left",
        }
        self.outputs = {"logits": f"float32 (N,{side},{side}), one map per sentence"}

    def example(self, batch: int, rows: int, columns: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draw ``batch`` sentences of 1 to 20 words, and an image of the one possible size."""
        words = torch.randint(1, self.n_words, (batch, WORDS), generator=generator)
        lengths = torch.randint(1, WORDS + 1, (batch, 1), generator=generator)
        words[torch.arange(WORDS) < WORDS - lengths] = 0
        return _random_pixels(generator, 1, self.side, self.side), words

    def forward(self, image: Tensor, words: Tensor) -> tuple[Tensor]:
        """(1,3,S,S) uint8 or float, 0 to 255, and (N,20) int64 -> logits (N,S,S)."""
        image_of = torch.zeros_like(words[:, 0])
        return (self.network(self.normalised(image), words, image_of)[-1][:, 0].float(),)


def on_pixels(network: nn.Module, meta: Mapping[str, Any]) -> OnPixels:
    """Wrap the network that ``meta`` describes.

    Args:
        network: built from the same weights file.
        meta: ``task``, ``mean``, ``std``, and what the task needs beside them.
    """
    mean, std, task = meta["mean"], meta["std"], meta["task"]
    if task == "segmentation":
        return SegmenterOnPixels(network, mean, std, meta["class_ids"])
    if task == "classification":
        return ClassifierOnPixels(network, mean, std, single_label=meta.get("single_label", False))
    if task == "contour":
        assert isinstance(network, ContourNet)
        return ContourOnPixels(network, mean, std)
    return ReferringOnPixels(network, mean, std, int(meta["image_size"]), len(meta["vocabulary"]))


def _random_pixels(generator: torch.Generator, batch: int, rows: int, columns: int) -> Tensor:
    return torch.randint(0, 256, (batch, 3, rows, columns), dtype=torch.uint8, generator=generator)
