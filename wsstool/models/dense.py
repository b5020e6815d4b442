"""A score at every pixel without upsampling: many shifted passes, or one pass with dilated filters.

Both are for networks with a single score map. Each gives the scores of the same network on a grid of one
pixel: pixel p has the score of the receptive field around it, in the image padded with the mean colour.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor, nn

from wsstool.errors import UsageError
from wsstool.models.backbones import rarefied_backbone
from wsstool.models.backbones.caffe_trunks import Trunk
from wsstool.models.backbones.grid import single, stage_grids
from wsstool.models.fan.token_attention import TokenAttention
from wsstool.models.heads.fcn import FCN


class Dense(nn.Module):
    """(B,3,H,W) -> scores (B,C,H,W), each of the cell whose receptive field is centred on the pixel.

    Args:
        network: with one score map.
        shifts: passes per axis; the maps of the shifted images are interlaced.
    """

    input_multiple = 1

    def __init__(self, network: FCN, shifts: int) -> None:
        super().__init__()
        self.network, self.shifts = network, shifts
        self.grid = network.taps[0].grid
        # so wide that no padding inside the network affects a cell that is kept; a whole number of steps
        self.margin = -(-(self.grid.field // 2 + shifts) // shifts) * shifts

    def forward(self, x: Tensor) -> Tensor:
        """(B,3,H,W) -> logits (B,C,H,W)."""
        height, width = x.shape[-2:]
        rows, columns = (2 * self.margin - (-n // self.shifts) * self.shifts for n in (height, width))
        right, bottom = columns + self.shifts - width - self.margin, rows + self.shifts - height - self.margin
        sea = F.pad(x, (self.margin, right, self.margin, bottom))
        stitched: Tensor | None = None
        for down in range(self.shifts):
            for across in range(self.shifts):
                seen = sea[..., down : down + rows, across : across + columns]
                scores = self.network.class_maps(seen)  # (B,C,h,w)
                if stitched is None:
                    size = [n * self.shifts for n in scores.shape[-2:]]
                    stitched = scores.new_empty(*scores.shape[:2], *size)
                stitched[..., down :: self.shifts, across :: self.shifts] = scores
        assert stitched is not None
        first = self.margin - int(self.grid.start // 1)  # the cell of pixel 0, or half a pixel after it
        return stitched[..., first : first + height, first : first + width]


def shift_and_stitch(network: nn.Module) -> Dense:
    """Run the network at stride f on the image shifted by 0 to f - 1 pixels on both axes: f x f passes.

    Args:
        network: an FCN with one score map, such as ``fcn32s-resnet-50``.

    Raises:
        UsageError: a network of another kind, with skips, or with layers that see the whole image.
    Source:
        Long et al., CVPR 2015, section 3.2. Written from the paper.
    """
    network = _with_one_map(network)
    return Dense(network, int(network.taps[0].grid.step))


def rarefy(network: nn.Module) -> Dense:
    """Remove all strides and dilate every filter by the strides before it: dense scores in one pass.

    Args:
        network: an FCN with one score map, such as ``fcn32s-resnet-50``.

    Raises:
        UsageError: a network of another kind, with skips, or with layers that see the whole image.
    Notes:
        The same scores as ``shift_and_stitch``, up to rounding. It avoids the repeated computation of shifted
        passes, but needs memory for all layers at the size of the image.
    Source:
        Long et al., CVPR 2015, section 3.1 (filter rarefaction, the a trous algorithm). From the paper.
    """
    network = _with_one_map(network)
    (tap,) = network.taps
    shared = {id(one): one for one in (*network.parameters(), *network.buffers())}
    spread = copy.deepcopy(network, shared)  # new layers on the same weights
    body = spread.backbone
    if isinstance(body, Trunk):
        _rarefy_chain(body)
        grid = body.grid(tap.layer)
    else:
        spread.backbone = rarefied_backbone(body)
        grid = stage_grids(spread.backbone)[tap.layer]
    spread.taps = (replace(tap, grid=grid),)
    return Dense(spread, 1)


def _rarefy_chain(trunk: Trunk) -> None:
    """Remove the strides from a chain of layers and dilate everything after them, in place."""
    step = 1
    for layer in trunk:
        if not isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            continue
        stride, dilation, padding = (single(n) for n in (layer.stride, layer.dilation, layer.padding))
        is_pooling = isinstance(layer, nn.MaxPool2d)
        for name, value in (("stride", 1), ("dilation", step * dilation), ("padding", step * padding)):
            setattr(layer, name, value if is_pooling else (value, value))
        step *= stride
    trunk.stride = 1


def _with_one_map(network: nn.Module) -> FCN:
    """Return the network if its scores depend only on the pixels around them, on one grid."""
    if not isinstance(network, FCN) or len(network.taps) > 1:
        raise UsageError("--dense needs an FCN with a single score map, such as fcn32s-BACKBONE")
    if any(isinstance(layer, nn.AdaptiveAvgPool2d | TokenAttention) for layer in network.modules()):
        raise UsageError(
            f"{network.backbone.arch} has layers that see the whole image (attention, "
            "squeeze-and-excitation): its scores are not shift-equivariant, so --dense cannot be used"
        )
    return network
