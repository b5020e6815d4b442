"""The training task of a segmenter: what all methods of learning from masks have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from wsstool.errors import UsageError
from wsstool.models.classifier import normalise
from wsstool.registries.losses import PIXEL_LOSSES
from wsstool.training.losses.segmentation import layered_losses, layered_mean, layered_sum
from wsstool.training.plan import Progress
from wsstool.types import IGNORE, IMAGENET_MEAN, IMAGENET_STD, SILENT, Messages


class ImageBatches:
    """How networks read a batch of images: (B,3,H,W) -> logits (B,C,H,W), one loss per label map."""

    def normalised(self, inputs: Any, mean: Sequence[float], std: Sequence[float]) -> Any:
        """Return the input of the networks from what the dataset gives."""
        return normalise(inputs, list(mean), list(std))

    def losses(self, logits: torch.Tensor, labels: torch.Tensor, kind: str) -> torch.Tensor:
        """Return the loss per pixel and label map, (B,L,H,W)."""
        return layered_losses(logits, labels, kind=kind)

    def final(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the logits that are the prediction, (B,C,H,W)."""
        return logits


@dataclass(frozen=True)
class Setup:
    """Settings shared by all training methods.

    Attributes:
        build: index of a network (0, 1) -> the network with its own random initialisation.
        class_names: C names, one per output.
        background: the background output, or -1.
        class_ids: class id of each output in the label maps; None: output c is class c.
        excluded: class id of pixels that belong to no output, or None.
        layer_weights: weight of each label map of an image.
        layers: names of the label maps; empty: none are needed.
        noise_rate: share of wrong labels, [0, 1), or None to estimate it after the warm-up.
        groups: network -> parameter groups for the optimiser.
        validate: network in eval mode -> scores, or None.
        mean: of each colour, [0, 1]; images are uint8 and normalised on the device of the network.
        std: of each colour, > 0.
        messages: receives estimates and warnings.
        form: how the networks read a batch.
    """

    build: Callable[[int], nn.Module]
    class_names: Sequence[str]
    background: int = -1
    class_ids: Sequence[int] | None = None
    excluded: int | None = None
    layer_weights: Sequence[float] = (1.0,)
    layers: Sequence[str] = ()
    noise_rate: float | None = 0.0
    groups: Callable[[nn.Module], list[dict[str, Any]]] = lambda network: [
        {"params": list(network.parameters())}
    ]
    validate: Callable[[nn.Module], Mapping[str, Any]] | None = None
    mean: Sequence[float] = IMAGENET_MEAN
    std: Sequence[float] = IMAGENET_STD
    messages: Messages = SILENT
    form: ImageBatches = field(default_factory=ImageBatches)

    @property
    def main_layer(self) -> int:
        """Index of the label map with the largest weight, the first of them."""
        return max(range(len(self.layer_weights)), key=lambda l: self.layer_weights[l])

    def layer(self, name: str) -> int:
        """Return the index of the label map of that name.

        Raises:
            UsageError: no such label map.
        """
        return layer_number(name, self.layers, f"--set main={name}")

    def label_table(self, excluded: int) -> torch.Tensor:
        """Return the (256,) uint8 table label -> output, ``excluded`` for the excluded class; 255 stays."""
        table = torch.arange(256, dtype=torch.uint8)
        if self.class_ids is not None:
            table[list(self.class_ids)] = torch.arange(len(self.class_ids), dtype=torch.uint8)
        if self.excluded is not None:
            table[self.excluded] = excluded
        return table


def one_of(option: str, value: str, choices: Iterable[str]) -> None:
    """Raise UsageError unless a method option, given with ``--set``, has one of these values."""
    *others, last = choices
    if value not in (*others, last):
        raise UsageError(f"--set {option}={value}: give {', '.join(others)} or {last}")


def layer_number(name: str, layers: Sequence[str], option: str = "") -> int:
    """Return the index of a layer by name; the last part of a dotted name is enough.

    Args:
        name: of the layer.
        layers: all names.
        option: as typed, for the message.

    Raises:
        UsageError: no such layer, or more than one.

    Example:
        >>> layer_number("b5_2", ["backbone.b4_5", "backbone.b5_2"])
        1
    """
    fitting = [i for i, layer in enumerate(layers) if layer == name or layer.endswith(f".{name}")]
    if len(fitting) != 1:
        many = "more than one" if fitting else "no"
        where = f"{option}: " if option else ""
        raise UsageError(f"{where}{many} label map has the name '{name}'; there are: {', '.join(layers)}")
    return fitting[0]


Batch = tuple[torch.Tensor, torch.Tensor]
"""Images (B,3,H,W) uint8 and label maps (B,L,H,W) uint8, 255 = ignore."""


REDUCTIONS = {"mean": layered_mean, "sum": layered_sum}
"""How to reduce the losses of all pixels."""


class CoTraining:
    """A task: one or two networks, the loss of a batch, and the networks to keep at the end.

    Args:
        setup: see ``Setup``.
        n_networks: 1 or 2.
        loss: cross-entropy, generalised or symmetric.
        reduction: mean over the labelled pixels of the batch, or sum over those of an image.

    Raises:
        UsageError: unknown loss or reduction.
    """

    more_losses: Sequence[str] = ()  #: beside those of ``PIXEL_LOSSES``

    def __init__(
        self, setup: Setup, n_networks: int, loss: str = "cross-entropy", reduction: str = "mean"
    ) -> None:
        one_of("reduction", reduction, REDUCTIONS)
        one_of("loss", loss, (*PIXEL_LOSSES, *self.more_losses))
        self.setup = setup
        self.loss_kind, self.reduce = loss, REDUCTIONS[reduction]
        self.networks = [setup.build(i) for i in range(n_networks)]

    def modules(self) -> dict[str, nn.Module]:
        """Return everything with state, for the checkpoint."""
        return {f"network_{i + 1}": network for i, network in enumerate(self.networks)}

    def trained(self) -> list[nn.Module]:
        """Return the networks for the weights file, the one to use first."""
        return list(self.networks)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [group for network in self.networks for group in self.setup.groups(network)]

    def loss(self, batch: Batch, progress: Progress) -> dict[str, Any]:
        x, labels = self.prepared(batch)
        losses = self.losses(self.networks[0](x), labels)
        return {"loss": self.reduce(losses, labels != IGNORE, self.setup.layer_weights)}

    def prepared(self, batch: Batch) -> Batch:
        """Return the batch with normalised float32 images and output labels; the excluded class is 255."""
        return self._prepared(batch, excluded=IGNORE)

    def _prepared(self, batch: Batch, *, excluded: int) -> Batch:
        images, labels = batch
        if self.setup.excluded is not None:
            labels = self.setup.label_table(excluded).to(labels.device)[labels.long()]
        return self.setup.form.normalised(images, self.setup.mean, self.setup.std), labels

    def losses(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss per pixel: (B,C,H,W), (B,L,H,W) -> (B,L,H,W)."""
        return self.setup.form.losses(logits, labels, self.loss_kind)

    def validate(self) -> dict[str, Any]:
        """Return the scores of the first network of ``trained`` at the end of an epoch."""
        if self.setup.validate is None:
            return {}
        return dict(self.setup.validate(self.trained()[0]))
