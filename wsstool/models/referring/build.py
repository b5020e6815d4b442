"""Build referring networks by name, and from the metadata of their weights files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from torch import Tensor

from wsstool.errors import BadInputError, UsageError
from wsstool.models.backbones import build_backbone, default_output_stride
from wsstool.models.referring.brinet import BRINet
from wsstool.models.referring.design import Design
from wsstool.models.referring.encoder_fusion import EncoderFusion
from wsstool.models.referring.stages import FUSED
from wsstool.registries.segmenters import split_referring

ReferringNetwork = EncoderFusion | BRINet

NETWORKS: dict[str, type[EncoderFusion] | type[BRINet]] = {"bcam": EncoderFusion, "brinet": BRINet}
"""Networks by name; each stands on any backbone."""

OUTPUT_STRIDES = {"bcam": 16, "brinet": 8}
"""Published output strides; a backbone with a smaller one keeps it."""

TASK = "referring"
"""Value of ``task`` in the metadata of weights files."""


def build_referring(
    arch: str,
    n_words: int,
    *,
    width: int | None = None,
    decoder_width: int | None = None,
    word_channels: int | None = None,
    hidden: int | None = None,
    attention: str = "asymmetric",
    fusions: int = FUSED,
    output_stride: int | None = None,
    image_size: int = 320,
    word_vectors: Tensor | None = None,
) -> ReferringNetwork:
    """Build a referring network with random weights.

    Args:
        arch: ``NETWORK-BACKBONE``, such as ``bcam-resnet-101``, ``brinet-mobilenet-v2``, ``bcam-tiny``.
        n_words: size of the vocabulary, with ``<pad>`` (0) and ``<unk>`` (1).
        width: channels inside the attentions; None takes an eighth of those of the last feature map, 64 to
            256. The published networks have 512 (``bcam``) and 1000 (``brinet``).
        decoder_width: channels of the coarsest level of the decoder, halved at each finer one (``bcam``), or
            of the atrous pyramids (``brinet``); None takes a quarter of those of the last map, 48 to 512.
        word_channels: of a word vector; None takes those of ``word_vectors``, or ``width``.
        hidden: states of the GRU in each direction; None takes half of ``width``.
        attention: ``asymmetric``, for any resolution, or ``vanilla``, for one.
        fusions: number of stages with words, counted from the last one, 1 to 3. Everything before the first
            of them is computed once per image, so that many sentences on one image take less time.
        output_stride: of the backbone; None takes the published one.
        image_size: side of a training image, pixels, for ``vanilla``.
        word_vectors: (n_words,E) float, initial word vectors, or None.

    Notes:
        Parameters of ``bcam-resnet-101`` without the word table: backbone 42.5 M, GRU 0.3 M, attentions 3.6 M
        (10.8 M at width 512), decoder 2.4 M. ``bcam-mobilenet-v2``: 1.8 M and 0.25 M for the rest;
        ``bcam-tiny``: 0.28 M and 0.2 M; ``brinet-resnet-101`` at width 1000: 42.5 M and 105 M.

    Raises:
        UsageError: unknown arch or attention, impossible stride or width.
        BadInputError: word vectors of another shape.

    Example:
        >>> import torch
        >>> network = build_referring("bcam-tiny", 10).eval()
        >>> words, image_of = torch.tensor([[0, 2, 3], [0, 0, 4]]), torch.tensor([0, 0])
        >>> [tuple(one.shape) for one in network(torch.zeros(1, 3, 64, 96), words, image_of)][-2:]
        [(2, 1, 16, 24), (2, 1, 64, 96)]
    """
    name, backbone_name = split_referring(arch)
    wanted = OUTPUT_STRIDES[name] if output_stride is None else output_stride
    stride = default_output_stride(backbone_name, wanted) if output_stride is None else wanted
    backbone = build_backbone(backbone_name, output_stride=stride).without_expansion()
    channels = backbone.out_channels
    width = max(64, min(channels // 8, 256)) if width is None else width
    if word_channels is None:
        word_channels = width if word_vectors is None else word_vectors.shape[1]
    design = Design(
        arch=f"{name}-{backbone_name}",
        n_words=n_words,
        word_channels=word_channels,
        hidden=max(1, width // 2) if hidden is None else hidden,
        width=width,
        decoder_width=max(48, min(channels // 4, 512)) if decoder_width is None else decoder_width,
        attention=attention,
        fusions=fusions,
        output_stride=stride,
        image_size=image_size,
    )
    network = NETWORKS[name](backbone, design)
    if word_vectors is not None:
        network.words.start_from(word_vectors)
    return network


def describe_referring(network: ReferringNetwork, vocabulary: Sequence[str]) -> dict[str, Any]:
    """Return the metadata from which ``build_described`` builds the network again.

    Args:
        network: built by ``build_referring``.
        vocabulary: the words by index.

    Raises:
        UsageError: a vocabulary of another size.
    """
    design = asdict(network.design)
    if len(vocabulary) != design.pop("n_words"):
        raise UsageError(
            f"a vocabulary of {len(vocabulary)} words for a network of {network.design.n_words} words"
        )
    return {"task": TASK, **design, "vocabulary": list(vocabulary)}


def build_described(meta: Mapping[str, Any], source: Path | str) -> ReferringNetwork:
    """Build the network that the metadata of a weights file describes, with random weights.

    Raises:
        BadInputError: without vocabulary, or other fields missing.
    """
    vocabulary = meta.get("vocabulary")
    if not isinstance(vocabulary, list | tuple) or len(vocabulary) < 2:  # <pad> and <unk>
        raise BadInputError(
            f"{source} has no vocabulary; a network that reads sentences needs the one it learned"
        )
    names = [field.name for field in fields(Design) if field.name != "n_words"]
    missing = [name for name in names if name not in meta]
    if missing:
        raise BadInputError(f"{source} does not describe its network (no '{missing[0]}' in its metadata)")
    options = {name: meta[name] for name in names if name != "arch"}
    return build_referring(meta["arch"], len(vocabulary), **options)
