"""FAN classifier: the trunk as backbone, a class token as head."""

from __future__ import annotations

from torch import Tensor

from wsstool.errors import UsageError
from wsstool.models.backbones import Backbone, build_backbone
from wsstool.models.backbones.frozen import OnBackbone
from wsstool.models.fan.class_head import ClassTokenHead, combined_logits
from wsstool.models.fan.drop_path import set_drop_path
from wsstool.models.fan.sizes import SIZES, STRIDE
from wsstool.models.fan.stem import LEAST_SIDE

__all__ = ["LEAST_SIDE", "FanClassifier", "build_fan_classifier"]


class FanClassifier(OnBackbone):
    """Classifier with a class token that attends to the tokens of the image.

    Args:
        backbone: (B,3,H,W) -> (B,F,h,w).
        head: see ``ClassTokenHead``.
    """

    input_multiple = STRIDE
    """Images are padded to a multiple of so many pixels, with the mean colour on the right and below."""

    backbone: Backbone

    def __init__(self, backbone: Backbone, head: ClassTokenHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def features(self, x: Tensor) -> Tensor:
        """Compute the map of tokens that the head reads, (B,3,H,W) -> (B,F,h,w)."""
        return self.backbone(x)

    def logits(self, features: Tensor) -> Tensor:
        """Compute the logits (B,C) of the class token from (B,F,h,w)."""
        return self.head(features).float()

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits (B,C) of the class token from (B,3,H,W)."""
        return self.logits(self.features(x))

    def with_token_maps(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the logits of the class token (B,C) and of every token (B,C,h,w) in one pass.

        Raises:
            UsageError: there is no token head.
        """
        if self.head.aux_head is None:
            raise UsageError("this network has no token head; it was trained with the class token alone")
        features = self.features(x)
        class_logits, token_logits = self.head.with_tokens(features)
        maps = token_logits.transpose(1, 2).unflatten(2, features.shape[-2:])
        return class_logits.float(), maps.float()

    def combined(self, x: Tensor) -> Tensor:
        """Compute the logits (B,C) of the released evaluation from (B,3,H,W), see ``combined_logits``.

        Raises:
            UsageError: there is no token head.
        """
        class_logits, maps = self.with_token_maps(x)
        return combined_logits(class_logits, maps.flatten(2).transpose(1, 2))


def build_fan_classifier(
    arch: str,
    n_classes: int,
    *,
    output_stride: int | None = None,
    dropout: float = 0.0,
    head_bias: bool = True,
    token_head: bool = False,
    drop_path: float | None = None,
) -> FanClassifier:
    """Build a FAN classifier with random weights.

    Args:
        arch: a name of ``wsstool.models.fan.sizes.SIZES``.
        n_classes: outputs.
        output_stride: 16 or None.
        dropout: fraction of the channels dropped before the last layer in training, [0, 1).
        head_bias: give the last layer a bias.
        token_head: also classify every token.
        drop_path: fraction of dropped residual branches, the same in every block, [0, 1); None: as in the
            published FAN training.

    Raises:
        UsageError: another stride.

    Example:
        >>> import torch
        >>> build_fan_classifier("fan-micro", 3).eval()(torch.zeros(2, 3, 40, 64)).shape
        torch.Size([2, 3])
    """
    size = SIZES[arch]
    backbone = build_backbone(arch, output_stride=output_stride)
    set_drop_path(backbone, size.drop_path if drop_path is None else drop_path)
    head = ClassTokenHead(size, n_classes, token_head=token_head, dropout=dropout, bias=head_bias)
    return FanClassifier(backbone, head)
