"""Classify an image, and optionally every token, from the map of tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wsstool.models.fan.class_attention import EPS, ClassAttentionBlock
from wsstool.models.fan.sizes import Size
from wsstool.models.fan.start_weights import DEVIATION, start_blocks

BLOCKS = 2
"""Of class attention."""

LAST_LAYERS = ("head.", "aux_head.")
"""How the names of the layers that know the classes begin."""

TOKEN_HEAD = "head.aux_head.weight"
"""An entry of weights files that only classifiers with a token head have."""


class ClassTokens(nn.Module):
    """A class token and the blocks in which it attends to the patch tokens, under their published names.

    Args:
        size: one of ``SIZES``.
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, size.dim))
        self.cls_attn_blocks = nn.Sequential(
            *(ClassAttentionBlock(size.dim, size.heads) for _ in range(BLOCKS))
        )

    def start(self) -> None:
        """Initialise the token and every layer."""
        nn.init.trunc_normal_(self.cls_token, std=DEVIATION)
        start_blocks(self)


class AttendedPatches(ClassTokens):
    """The patch tokens as the class attention leaves them, the deepest features of a segmenter.

    They do not depend on the class token, so class attention itself is not computed; its weights are kept
    because the published files contain them.

    Args:
        size: one of ``SIZES``.
    """

    def __init__(self, size: Size) -> None:
        super().__init__(size)
        self.start()

    def forward(self, features: Tensor) -> Tensor:
        """(B,C,h,w) -> (B,C,h,w)."""
        tokens = features.flatten(2).transpose(1, 2)  # (B,hw,C)
        for block in self.cls_attn_blocks:
            tokens = block.patches(tokens)  # type: ignore[operator]
        return tokens.transpose(1, 2).unflatten(2, features.shape[-2:])


class ClassTokenHead(ClassTokens):
    """A class token that attends to the tokens of the image, two blocks, a norm, and linear layers.

    Args:
        size: one of ``SIZES``.
        n_classes: outputs.
        token_head: add a linear layer that classifies each token.
        dropout: fraction of the channels dropped before the linear layers in training, [0, 1).
        bias: of the linear layers.
    Source:
        Zhou et al., ICML 2022, and Zhao et al., ICCV 2023 (the token head). Written from the papers and a
        description of the published files.
    """

    def __init__(
        self, size: Size, n_classes: int, *, token_head: bool = False, dropout: float = 0.0, bias: bool = True
    ) -> None:
        super().__init__(size)
        self.norm = nn.LayerNorm(size.dim, eps=EPS)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(size.dim, n_classes, bias=bias)
        self.aux_head = nn.Linear(size.dim, n_classes, bias=bias) if token_head else None
        self.start()
        if not token_head:
            with torch.no_grad():
                self.head.weight.mul_(size.head_scale)

    def tokens(self, features: Tensor) -> Tensor:
        """Return normalised tokens, (B,C,h,w) -> (B,1+hw,C): class token, then the map row by row."""
        first = self.cls_token.expand(features.shape[0], -1, -1)
        patches = features.flatten(2).transpose(1, 2)
        return self.norm(self.cls_attn_blocks(torch.cat([first, patches], 1)))

    def forward(self, features: Tensor) -> Tensor:
        """Compute the logits (B,K) of the class token from (B,C,h,w)."""
        return self.head(self.dropout(self.tokens(features)[:, 0]))

    def with_tokens(self, features: Tensor, *, token_gradient: bool = True) -> tuple[Tensor, Tensor]:
        """Compute the logits of the class token (B,K) and of every other token (B,hw,K) in one pass.

        Args:
            features: the map of tokens.
            token_gradient: without it, a loss on the token logits trains the token head alone.

        Raises:
            TypeError: there is no token head.
        """
        if self.aux_head is None:
            raise TypeError("this network has no token head")
        tokens = self.dropout(self.tokens(features))
        patches = tokens[:, 1:] if token_gradient else tokens[:, 1:].detach()
        return self.head(tokens[:, 0]), self.aux_head(patches)


def combined_logits(class_logits: Tensor, token_logits: Tensor, weight: float = 0.5) -> Tensor:
    """Add ``weight`` times the maximum over tokens (B,N,K) to the class logits (B,K), as published.

    The published training selects models by the class logits alone (``weight=0``).

    Example:
        >>> combined_logits(torch.tensor([[1.0, 0.0]]), torch.tensor([[[0.0, 4.0], [2.0, -1.0]]]))
        tensor([[2., 2.]])
    """
    return class_logits + weight * token_logits.amax(1)
