"""Fully convolutional networks: score maps of several strides, summed from coarse to fine, upsampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn, sym_min

from wsstool.errors import UsageError
from wsstool.models.backbones import Backbone, Chain, build_backbone
from wsstool.models.backbones.caffe_trunks import Trunk, alexnet_trunk, vgg16_trunk
from wsstool.models.backbones.frozen import OnBackbone
from wsstool.models.backbones.grid import Grid, stage_grids
from wsstool.models.class_probabilities import cropped, padded
from wsstool.models.heads.upscore import Span, Upscore
from wsstool.registries.segmenters import FINEST

TRUNKS = {"vgg-16": vgg16_trunk, "alexnet": alexnet_trunk}
"""Backbones of the published networks, which include their classifier as ``fc6`` and ``fc7``."""

AT_ONCE = 0.01
"""Factor on the features of each finer map, applied once more per map, if all are trained at once."""


@dataclass(frozen=True)
class Tap:
    """One score map: its input layer, its grid, and the names of its layers."""

    layer: str
    grid: Grid
    channels: int
    score: str  #: 1x1 convolution to the classes
    upscore: str  #: upsamples the sum so far to the next finer map, or to the image
    scale: float = 1.0  #: factor on the features


@dataclass(frozen=True)
class Seam:
    """Alignment of an upsampled map with the next finer one, along either axis: cropped to the overlap."""

    around: int  #: cells by which the border of the coarse map is repeated before upsampling
    first: int  #: cell of the upsampled map where the overlap begins: the crop offset of ``upscore``
    finer: int  #: cell of the finer map where it begins: the crop offset of a skip


class FCN(OnBackbone):
    """A backbone, a linear score layer at each of several depths, sums from coarse to fine, upsampling.

    The score map of the last features is upsampled to the next finer one and added to it, and so on; the last
    sum is upsampled to the image. The positions of the maps follow from ``Grid``, and with them every crop.

    Args:
        backbone: ``Trunk`` of a published network, or any ``Backbone``.
        taps: the score maps, coarsest first.
        n_classes: C.
        channel_order: colour order that the backbone expects, ``rgb`` or ``bgr``. Images are RGB in any case.
    Notes:
        Score layers start at zero, so a finer network initially gives the output of the coarser one that it
        was initialised from. Upsampling is bilinear and fixed, unless ``learn_upsampling`` is called.
        Published networks pad the image by 100 pixels and let scores fade beyond the last cell. On other
        backbones the image is padded to a multiple of the stride and the outermost scores are extended.
    Source:
        Long, Shelhamer, Darrell, CVPR 2015 and PAMI 2016. Written from the papers and a description of the
        published networks.
    """

    backbone: Backbone | Trunk

    def __init__(
        self, backbone: Backbone | Trunk, taps: Sequence[Tap], n_classes: int, *, channel_order: str = "rgb"
    ) -> None:
        super().__init__()
        self.taps, self.channel_order = tuple(taps), channel_order
        self.is_published = isinstance(backbone, Trunk)
        if self.is_published:  # the layers of published files have no prefix
            object.__setattr__(self, "backbone", backbone)
            for name, layer in backbone.named_children():
                self.add_module(name, layer)
        else:
            self.backbone = backbone
        upscores: dict[str, Upscore] = {}
        self.seams: list[Seam] = []
        grid = taps[0].grid
        for tap, finer in zip(taps, [*(tap.grid for tap in taps[1:]), Grid()], strict=True):
            seam, kernel, grid = _join(grid, finer, repeats=not self.is_published)
            upscores[tap.upscore] = Upscore(n_classes, int(tap.grid.step / finer.step), kernel)
            self.seams.append(seam)
        scores = {tap.score: nn.Conv2d(tap.channels, n_classes, 1) for tap in taps}
        for layers in (scores, upscores):  # in the order of the published files
            for name in sorted(layers, key=lambda one: (len(one), one)):
                self.add_module(name, layers[name])  # type: ignore[index]
        for layer in scores.values():
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def learn_upsampling(self) -> None:
        """Train every upsampling but the last, from bilinear weights, as in the version of 2015."""
        for tap in self.taps[:-1]:
            self.get_submodule(tap.upscore).requires_grad_(True)

    def class_maps(self, x: Tensor) -> Tensor:
        """Return the sum of all scores on the grid of the finest: (B,3,H,W) -> (B,C,h,w)."""
        if self.channel_order == "bgr":
            x = x.flip(1)
        maps = self.backbone.features_of(padded(x, self.input_multiple), [tap.layer for tap in self.taps])
        total = self._scores(self.taps[0], maps[0])
        for number, tap in enumerate(self.taps[1:]):
            skip = self._scores(tap, maps[number + 1])
            spans, begins = self._overlap(number, total, skip.shape[-2:])
            skip = cropped(skip, (spans[0][1], spans[1][1]), (begins, begins))
            total = self._enlarged(number, total, spans) + skip
        return total

    def forward(self, x: Tensor) -> Tensor:
        """(B,3,H,W) -> logits (B,C,H,W), float32."""
        total = self.class_maps(x)
        last = len(self.taps) - 1
        spans, _ = self._overlap(last, total, x.shape[-2:])
        return self._enlarged(last, total, spans)

    def _scores(self, tap: Tap, features: Tensor) -> Tensor:
        if tap.scale != 1.0:
            features = tap.scale * features
        return self.get_submodule(tap.score)(features).float()

    def _overlap(self, number: int, coarse: Tensor, finer: Sequence[int]) -> tuple[tuple[Span, Span], int]:
        """Return the window of the upsampled map that the finer one covers, and its offset there."""
        seam = self.seams[number]
        upscore: Upscore = self.get_submodule(self.taps[number].upscore)  # type: ignore[assignment]
        rows, columns = (
            (seam.first, self._common(upscore.full_size(n + 2 * seam.around) - seam.first, m - seam.finer))
            for n, m in zip(coarse.shape[-2:], finer, strict=True)
        )
        return (rows, columns), seam.finer

    def _common(self, coarse: int, finer: int) -> int:
        """Return the smaller number of cells; repeated borders always cover the finer map."""
        return sym_min(coarse, finer) if self.is_published else finer  # type: ignore[return-value]

    def _enlarged(self, number: int, scores: Tensor, spans: tuple[Span, Span]) -> Tensor:
        around = self.seams[number].around
        if around:
            scores = F.pad(scores, (around,) * 4, mode="replicate")
        return self.get_submodule(self.taps[number].upscore)(scores, *spans)

    @property
    def input_multiple(self) -> int:
        """Images are padded to a multiple of this, pixels."""
        return 1 if self.is_published else self.backbone.stride

    @property
    def default_layer(self) -> str:
        """Name of the last feature layer."""
        last = self.backbone.last_stage
        return last if self.is_published else f"backbone.{last}"


def _join(coarse: Grid, finer: Grid, *, repeats: bool) -> tuple[Seam, int, Grid]:
    """Compute how a map is upsampled and aligned with a finer one: seam, kernel, grid of the overlap.

    The kernel is twice as wide as the stride, or one less if the finer cells coincide with the coarse ones
    instead of lying between them, as they do after kernels of odd width.

    Args:
        repeats: repeat the border of the coarse map, until no cell of the finer one lies where the upsampled
            one fades.
    Raises:
        UsageError: the finer cells neither coincide with the coarse ones nor lie half-way.
    """
    factor = int(coarse.step / finer.step)
    around = 1 if repeats else 0
    while True:
        grid = coarse.from_cell(-around)
        enlarged = [(kernel, grid.enlarged(kernel, factor)) for kernel in (2 * factor, 2 * factor - 1)]
        kernel, grid = next((one for one in enlarged if finer.fits(one[1])), enlarged[0])
        offset = finer.offset_of(grid)
        if not repeats or -offset >= kernel - factor:
            break
        around += 1
    first = max(0, -offset)
    return Seam(around, first, offset + first), kernel, grid.from_cell(first)


def build_fcn(
    head: str,
    backbone: str,
    n_classes: int,
    *,
    output_stride: int | None = None,
    width: int | None = None,
    channel_order: str = "rgb",
) -> FCN:
    """Build an FCN with random weights in the backbone and zeros in the score layers.

    Args:
        head: a name of ``FINEST``: score maps from the backbone's own stride down to that one.
        backbone: vgg-16 and alexnet are the published networks; any other of ``BACKBONES``.
        n_classes: C.
        output_stride: of the backbone; None keeps its own.
        width: channels of ``fc6`` and ``fc7`` of the published networks; None takes 4096.
        channel_order: see ``FCN``.

    Raises:
        UsageError: a head finer or coarser than the backbone's maps, an option that the network lacks.

    Example:
        >>> import torch
        >>> build_fcn("fcn4s", "tiny", 3).eval()(torch.zeros(1, 3, 33, 40)).shape
        torch.Size([1, 3, 33, 40])
    """
    finest = FINEST[head]
    if backbone in TRUNKS:
        trunk = TRUNKS[backbone](width or 4096)
        if finest not in trunk.tap_at:
            have = ", ".join(f"fcn{stride}s" for stride in trunk.tap_at)
            raise UsageError(f"{head} is not available on {backbone}; choose from: {have}")
        if output_stride not in (None, trunk.stride):
            raise UsageError(f"{head}-{backbone} has the output stride 32; leave out --output-stride")
        strides = [stride for stride in trunk.tap_at if stride >= finest]
        taps = [_published_tap(trunk, stride, finest) for stride in strides]
        return FCN(trunk, _scaled(taps, head), n_classes, channel_order=channel_order)
    if width is not None:
        raise UsageError(f"the width of {head} on {backbone} is fixed; leave out --width")
    body = build_backbone(backbone, output_stride=output_stride)
    if not isinstance(body, Chain):
        raise UsageError(
            f"{head} aligns its maps by the layers of a network, which are not known of {backbone}; use "
            f"fcn-{backbone} or linear-{backbone}"
        )
    if finest > body.stride:
        raise UsageError(
            f"{head} needs features of stride {finest}, but those of {backbone} have stride {body.stride}"
        )
    strides = [body.stride]
    while strides[-1] > finest:
        strides.append(strides[-1] // 2)
    taps = _taps(body, strides)
    return FCN(body, _scaled(taps, head), n_classes, channel_order=channel_order)


def _published_tap(trunk: Trunk, stride: int, finest: int) -> Tap:
    """Use the published names: ``score_pool4`` and, after the sum with pool4, ``upscore_pool4``."""
    layer = trunk.tap_at[stride]
    is_first = stride == trunk.stride
    if stride > finest:
        upscore = "upscore2" if is_first else f"upscore_{layer}"
    else:
        upscore = "upscore" if is_first else f"upscore{stride}"
    score = "score_fr" if is_first else f"score_{layer}"
    return Tap(layer, trunk.grid(layer), trunk.channels(layer), score, upscore)


def _taps(backbone: Backbone, strides: Sequence[int]) -> list[Tap]:
    """List the score maps of a backbone, at its last part of each stride; for VGG at the pooling."""
    grids = stage_grids(backbone)
    taps = []
    for stride, finer in zip(strides, [*strides[1:], 1], strict=True):
        stage = backbone.stage_at(stride)
        if backbone.arch.startswith("vgg") and stride < backbone.stride:
            stage = next(one for one in backbone.stages if one.stride == stride)
        taps.append(
            Tap(stage.name, grids[stage.name], stage.channels, f"score_{stride}", f"upscore_{stride}_{finer}")
        )
    return taps


def _scaled(taps: Sequence[Tap], head: str) -> list[Tap]:
    """Scale the taps for a head that trains all of them at once: 1, 0.01, 0.0001."""
    factor = AT_ONCE if head.endswith("at-once") else 1.0
    return [
        Tap(tap.layer, tap.grid, tap.channels, tap.score, tap.upscore, factor**number)
        for number, tap in enumerate(taps)
    ]
