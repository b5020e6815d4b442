"""Build networks that read sentences for training: vocabulary, initial weights, word vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wsstool import store
from wsstool.expressions.vocabulary import Vocabulary
from wsstool.expressions.word_vectors import WordVectors, read_word_vectors
from wsstool.models.initial_weights import start_network
from wsstool.models.referring.build import TASK, ReferringNetwork, build_referring
from wsstool.models.weights import Weights
from wsstool.stages.options.trainers.cotrain import CotrainOptions
from wsstool.stages.options.trainers.train_contour import TrainContourOptions
from wsstool.types import Messages

TABLE = "words.table.weight"


@dataclass(frozen=True)
class NetworkBuilder:
    """Number of a network (0, 1) -> the network with its own random initialisation, then the initial weights.

    Attributes:
        options: of the network.
        vocabulary: the words of the training sentences.
        vectors: of these words, or None.
        start: the initial weights, or None.
    """

    options: TrainContourOptions | CotrainOptions
    vocabulary: Vocabulary
    vectors: WordVectors | None
    start: Weights | None

    @property
    def inputs(self) -> list[store.Input]:
        """The word vectors as an input of the run."""
        path = self.options.word_vectors
        return [] if path is None else [store.Input.of_file(path, role="word-vectors")]

    def __call__(self, number: int = 0) -> ReferringNetwork:
        options = self.options
        torch.manual_seed(options.seed + number)
        network = build_referring(
            options.arch,
            len(self.vocabulary),
            width=options.attention_width,
            decoder_width=options.decoder_width,
            attention=options.attention,
            fusions=options.fusions,
            output_stride=options.output_stride,
            image_size=options.crop_size or 0,
            word_vectors=None if self.vectors is None else torch.from_numpy(self.vectors.matrix),
        )
        if self.start is not None:
            state = _state(self.start, number)
            if self.start.meta.get("task") == TASK:
                state = with_words(state, self.start.meta.get("vocabulary", ()), self.vocabulary, network)
            start_network(network, state, f"'{options.init}'")
            network.freeze_start(getattr(options, "frozen_stride", 0))
        if options.backbone_rate == 0:
            network.freeze_backbone()
        return network


def network_builder(
    options: TrainContourOptions | CotrainOptions,
    vocabulary: Vocabulary,
    start: Weights | None,
    messages: Messages,
) -> NetworkBuilder:
    """Read the word vectors, if any, and report how many words they have.

    Raises:
        MissingInputError, BadInputError: see ``read_word_vectors``.
    """
    vectors = None
    if options.word_vectors is not None:
        vectors = read_word_vectors(Path(options.word_vectors), vocabulary, seed=options.seed)
        known, words = int(vectors.found.sum()), len(vocabulary) - 2
        messages.say(f"'{options.word_vectors}' has vectors of {known} of the {words} training words")
    return NetworkBuilder(options, vocabulary, vectors, start)


def _state(start: Weights, number: int) -> Mapping[str, Tensor]:
    """Return the initial weights of a network of this number; the second gets those of the second, if any."""
    if number and start.state_dict_2 is not None:
        return start.state_dict_2
    if number:  # whole networks would be equal
        return {k: v for k, v in start.state_dict.items() if k.startswith("backbone.")} or start.state_dict
    return start.state_dict


def with_words(
    state: Mapping[str, Tensor], words: Any, vocabulary: Vocabulary, network: ReferringNetwork
) -> dict[str, Tensor]:
    """Return initial weights with the word vectors in the order of another vocabulary.

    Args:
        state: of a network of the same form.
        words: its vocabulary.
        vocabulary: the new one; words that the old one lacks keep their random vectors.
        network: of the new vocabulary.
    """
    old, own = state.get(TABLE), network.state_dict()[TABLE].clone()
    if old is None or old.shape[1] != own.shape[1]:
        return dict(state)
    place = {word: number for number, word in enumerate(words)}
    for number, word in enumerate(vocabulary.words):
        if word in place:
            own[number] = old[place[word]]
    return {**state, TABLE: own}
