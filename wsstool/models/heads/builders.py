"""The heads of the registry ``HEADS``, each on a backbone; ``width`` replaces the number of channels."""

from __future__ import annotations

from wsstool.models.backbones import Backbone, fine_stage, stage_before_last_stride
from wsstool.models.heads import DeepLabV3Head, FCNHead, LinearHead, LRASPPSegmentationHead, PyramidHead
from wsstool.models.heads.deeplabv3plus import DeepLabV3Plus
from wsstool.models.heads.plain import Segmenter
from wsstool.models.heads.segformer import SegFormer


def build_deeplabv3plus(backbone: Backbone, n_classes: int, width: int | None = None) -> DeepLabV3Plus:
    """Decode an atrous pyramid together with fine features; 256 channels.

    Source:
        Chen et al., ECCV 2018.
    """
    return DeepLabV3Plus(backbone.without_expansion(), n_classes, width=width or 256)


def build_deeplabv3(backbone: Backbone, n_classes: int, width: int | None = None) -> Segmenter:
    """Classify after an atrous pyramid whose rates follow the stride; 256 channels.

    Source:
        Chen et al., "Rethinking atrous convolution", 2017.
    """
    backbone = backbone.without_expansion()
    rate = max(1, 96 // backbone.stride)
    rates = (rate, 2 * rate, 3 * rate)
    head = DeepLabV3Head(backbone.out_channels, n_classes, rates=rates, width=width or 256)
    return Segmenter(backbone, head)


def build_segformer(backbone: Backbone, n_classes: int, width: int | None = None) -> SegFormer:
    """Mix the features of every scale by linear layers.

    Source:
        Xie et al., NeurIPS 2021.
    """
    return SegFormer(backbone.without_expansion(), n_classes, width=width)


def build_lraspp(backbone: Backbone, n_classes: int, width: int | None = None) -> Segmenter:
    """Gate the deep features and add fine ones; 128 channels.

    Source:
        Howard et al., ICCV 2019, figure 10.
    """
    backbone = backbone.without_expansion()
    low = fine_stage(backbone, min(8, backbone.stride // 2))
    head = LRASPPSegmentationHead(low.channels, backbone.out_channels, n_classes, width=width or 128)
    return Segmenter(backbone, head, low.name)


def build_fcn_head(backbone: Backbone, n_classes: int, width: int | None = None) -> Segmenter:
    """Classify after one convolution; a quarter of the backbone's channels.

    Source:
        Long et al., CVPR 2015.
    """
    backbone = backbone.without_expansion()
    return Segmenter(backbone, FCNHead(backbone.out_channels, n_classes, width=width or 0))


def build_pyramid(backbone: Backbone, n_classes: int, width: int | None = None) -> Segmenter:
    """Classify two depths after a light pyramid; 192 channels.

    Source:
        own design.
    """
    low = stage_before_last_stride(backbone)
    head = PyramidHead(low.channels, backbone.out_channels, n_classes, width=width or 192)
    return Segmenter(backbone, head, low.name)


def build_linear(backbone: Backbone, n_classes: int, width: int | None = None) -> Segmenter:
    """Classify two depths with one linear layer, which --probe fits.

    Source:
        own design.
    """
    low = stage_before_last_stride(backbone)
    return Segmenter(backbone, LinearHead(low.channels, backbone.out_channels, n_classes), low.name)
