"""Options of trainers for networks that read sentences."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from wsstool.options import Unused, option, redeclared
from wsstool.registries.segmenters import reads_sentences
from wsstool.stages.options.groups import INPUT, MODEL, TRAINING, SentenceSource, WordEmbedding


def _reads(options: Any) -> bool:
    return reads_sentences(options.arch)


WITH_SENTENCES = Unused(_reads, "with a network that reads sentences (--arch)")
WITHOUT_SENTENCES = Unused(
    lambda o: not _reads(o), "without a network that reads sentences, such as --arch bcam-mobilenet-v2"
)

sentence_option = partial(option, key="changed", unused=WITHOUT_SENTENCES)
"""Declare an option that only networks that read sentences have."""


@dataclass(frozen=True, kw_only=True)
class SentenceTraining(SentenceSource, WordEmbedding):
    """Sentences to learn from, and the parts of a network that reads them."""

    expressions: Path | None = redeclared(SentenceSource, "expressions", None)
    word_vectors: Path | None = redeclared(WordEmbedding, "word_vectors", None, unused=(WITHOUT_SENTENCES,))
    sentences_per_image: int = sentence_option(
        4,
        "sentences of one image in a step, which share its first stages",
        at_least=1,
        panel=TRAINING,
    )
    scale_weight: list[float] | None = option(
        None,
        "weight of the loss at each scale, coarsest first; repeatable; default 1 each",
        at_least=0,
        panel=TRAINING,
        key="changed",
        unused=WITHOUT_SENTENCES,
    )
    val: Path | None = option(
        None,
        "data folder with sentences whose ground-truth masks select the best epoch; default: keep the last "
        "epoch",
        panel=INPUT,
        key=False,
        unused=WITHOUT_SENTENCES,
    )
    val_split: str | None = sentence_option(None, "part of the --val folder, or of DATA", panel=INPUT)
    attention: Literal["asymmetric", "vanilla"] = sentence_option(
        "asymmetric",
        "attention to image regions: for any resolution, or as first published, for one",
        panel=MODEL,
    )
    attention_width: int | None = sentence_option(
        None,
        "channels inside the attentions; default: an eighth of the features, 64 to 256",
        at_least=1,
        panel=MODEL,
    )
    fusions: int = sentence_option(
        3, "stages of the backbone with words, counted from the last", at_least=1, at_most=3, panel=MODEL
    )
    decoder_width: int | None = sentence_option(
        None,
        "channels of the coarsest level of the decoder; default: a quarter of the features, 48 to 512",
        at_least=8,
        panel=MODEL,
    )
    output_stride: int | None = sentence_option(
        None,
        "stride of the features in image pixels: 32, 16, 8 or 4; default 16 (bcam), 8 (brinet, tiny)",
        panel=MODEL,
    )
