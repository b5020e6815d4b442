"""Image towers: networks that embed an image, and every position of it, in a space shared with text."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from wsstool.errors import BadInputError, UsageError
from wsstool.models.backbones.frozen import OnBackbone
from wsstool.models.backbones.timm_network import (
    INSIDE,
    PREFIX,
    TimmBackbone,
    classifier_names,
    timm_backbone,
)
from wsstool.models.class_probabilities import padded
from wsstool.models.initial_weights import load_backbone
from wsstool.models.weights import Weights

Positions = Literal["auto", "values", "tokens"]
POSITIONS: tuple[Positions, ...] = ("auto", "values", "tokens")
"""What is projected at every position, see ``ImageTower.embeddings``."""


class ImageTower(OnBackbone):
    """A network of timm with a projection: one embedding of the image, and one of each position.

    The projection of a position is what the network's own head makes of an image that has no other position.

    Args:
        backbone: with its last layer, see ``tower_backbone``.
    """

    backbone: TimmBackbone

    def __init__(self, backbone: TimmBackbone) -> None:
        super().__init__()
        self.backbone = backbone

    @property
    def input_multiple(self) -> int:
        """Images are padded inside to a multiple of so many pixels."""
        return self.backbone.input_multiple

    @property
    def has_values(self) -> bool:
        """Whether the last block is attention that can be restricted to single positions."""
        attention = getattr(self._last_block, "attn", None)
        if attention is None or not hasattr(self._network, "norm"):
            return False
        return "attn_mask" in inspect.signature(attention.forward).parameters

    def embeddings(self, x: Tensor, positions: Positions = "auto") -> tuple[Tensor, Tensor]:
        """Embed images and their positions in one pass.

        Args:
            x: (B,3,H,W), normalised.
            positions: ``tokens``: the last features as they are; ``values``: those of a last block in which
                each position attends to itself alone, so that its output is the projected value; ``auto``:
                values, or tokens of a network without attention at the end.

        Returns:
            (B,D) and (B,D,h,w), not normalised.

        Raises:
            UsageError: ``values`` of a network whose last block is no attention.

        Source:
            Zhou et al., ECCV 2022 (MaskCLIP), section 3.2. Written from the paper.
        """
        if positions == "values" and not self.has_values:
            raise UsageError(
                f"{self.backbone.arch} does not end in attention over tokens; use --set features=tokens"
            )
        size = (x.shape[-2], x.shape[-1])
        x = padded(x, self.backbone.input_multiple).contiguous(memory_format=self.backbone.memory_format)
        block, inputs = self._last_block, _Inputs()
        handle = block.register_forward_pre_hook(inputs.keep, with_kwargs=True)
        try:
            last = self._network.forward_features(x)  # (B,T,F) or (B,F,h,w)
        finally:
            handle.remove()
        image = self._network.forward_head(last)
        if positions != "tokens" and self.has_values:
            with _attending_to_itself(block.attn):
                last = self._network.norm(block(*inputs.args, **inputs.kwargs))
        return image, self._projected(last, size)

    def _projected(self, last: Tensor, size: tuple[int, int]) -> Tensor:
        """Project the last features of images of ``size`` at every position: (B,D,h,w)."""
        found = self.backbone.as_map(last, size)
        if found is None:
            raise UsageError(f"the last features of {self.backbone.arch} are no map")
        rows = found.map.permute(0, 2, 3, 1).flatten(0, 2)  # (Bhw,F)
        shape = (found.map.shape[0], *found.map.shape[2:])
        return self._project(rows, last).unflatten(0, shape).permute(0, 3, 1, 2)

    def _project(self, rows: Tensor, last: Tensor) -> Tensor:
        """Project features (N,F) as the head does: (N,D)."""
        head: Any = getattr(self._network, "head", None)
        if hasattr(head, "pos_embed"):  # CLIP's attention pooling, where position and mean are other tokens
            values = head.qkv(rows).chunk(3, -1)[2] if head.v is None else head.v(rows)
            return head.proj(values)
        if last.ndim == 3:  # behind the class and register tokens, wherever the head looks
            others: int = getattr(self._network, "num_prefix_tokens", 0)  # type: ignore[assignment]
            return self._network.forward_head(rows[:, None].expand(-1, others + 1, -1))
        return self._network.forward_head(rows[:, :, None, None])

    @property
    def _network(self) -> Any:
        return self.backbone.network

    @property
    def _last_block(self) -> Any:
        blocks: Any = getattr(self._network, "blocks", None)
        return blocks[-1] if isinstance(blocks, nn.Sequential | nn.ModuleList) else self._network


class _Inputs:
    """The inputs of the last call of a module."""

    def keep(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args, self.kwargs = args, kwargs


@contextmanager
def _attending_to_itself(attention: nn.Module) -> Iterator[None]:
    """Let every token attend to itself alone, so that attention returns its projected value."""

    def mask(
        module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
        count = args[0].shape[1]
        return args, {**kwargs, "attn_mask": torch.eye(count, dtype=torch.bool, device=args[0].device)}

    handle = attention.register_forward_pre_hook(mask, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def tower_backbone(arch: str, weights: Weights, dimensions: int, path: Path | str) -> TimmBackbone:
    """Build the network of a checkpoint with its projection, in eval mode on the CPU.

    Args:
        arch: ``timm:NAME``.
        weights: timm's, or those of another program that timm can read, such as OpenCLIP's.
        dimensions: of the space that is shared with text, D.
        path: of the weights, for messages.

    Raises:
        UsageError: not a network of timm.
        BadInputError: weights of another network, without projection, or into another space.
    """
    if not arch.startswith(PREFIX):
        raise UsageError(
            f"--arch {arch}: class vectors need an image tower of timm, such as "
            "timm:vit_base_patch16_clip_224.openai"
        )
    backbone = timm_backbone(arch, outputs=dimensions)
    found = _projection(backbone, backbone.own_names(weights.state_dict))
    if found is None:
        backbone = timm_backbone(arch)
        pooled = getattr(backbone.network, "attn_pool", None)
        found = None if pooled is None else backbone.network.num_features  # type: ignore[assignment]
    if found is None:
        raise BadInputError(
            f"'{path}' has no projection into a space shared with text, as image towers of CLIP's kind have"
        )
    if found != dimensions:
        raise BadInputError(
            f"'{path}' embeds images in {found} dimensions, but the class vectors have {dimensions}; both "
            "must come from the same model"
        )
    load_backbone(backbone, weights, path)
    return backbone.eval()


def _projection(backbone: TimmBackbone, state_dict: Mapping[str, Tensor]) -> int | None:
    """Return the number of outputs of the last layer in a state dict; None: it has no such layer."""
    for name in classifier_names(backbone.network):
        if (weight := state_dict.get(f"{INSIDE}{name}.weight")) is not None:
            return len(weight)
    return None
