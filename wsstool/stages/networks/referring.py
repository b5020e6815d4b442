"""Open a trained network that reads sentences and map what they name in an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from wsstool.data.augmentation.whole_images import squared
from wsstool.errors import BadInputError
from wsstool.expressions.vocabulary import Vocabulary
from wsstool.models.referring.build import TASK
from wsstool.models.sentence_maps import sentence_maps
from wsstool.models.weights import Weights, build_model, load_state


@dataclass(frozen=True)
class SentenceMapper:
    """One or two networks, and the words that they know.

    Attributes:
        networks: in eval mode on their device.
        meta: the description in the weights file: ``mean``, ``std`` and ``image_size`` at least.
        vocabulary: of the networks.
        batch_size: sentences per pass.
    """

    networks: Sequence[nn.Module]
    meta: Mapping[str, Any]
    vocabulary: Vocabulary
    batch_size: int = 32

    def __call__(self, image: np.ndarray, sentences: Sequence[str]) -> np.ndarray:
        """Return the map of each sentence, (N,H,W) float32, 0 to 1.

        Args:
            image: (H,W,3) uint8.
            sentences: each with at least one word.

        Raises:
            BadInputError: a sentence without words.
        """
        view = torch.from_numpy(squared(image, int(self.meta["image_size"])).copy()).movedim(-1, 0)
        return sentence_maps(
            self.networks,
            view,
            torch.from_numpy(self.vocabulary.encode_all(sentences)),
            (image.shape[0], image.shape[1]),
            mean=self.meta["mean"],
            std=self.meta["std"],
            batch_size=self.batch_size,
        )


def reads(loaded: Weights) -> bool:
    """Return whether weights are those of a network that reads sentences."""
    return loaded.meta.get("task") == TASK


def no_language(weights: Path, option: str) -> str:
    """Return the error message for an option that needs a network that reads sentences."""
    return (
        f"{option} needs a network that reads sentences, which '{weights}' is not; train one with "
        "'wsstool train-contour --arch bcam-mobilenet-v2'"
    )


def open_sentence_mapper(
    weights: Path, loaded: Weights, device: torch.device, *, ensemble: bool = False, batch_size: int = 32
) -> SentenceMapper:
    """Open the network of a weights file, or both networks.

    Args:
        weights: the file.
        loaded: its content.
        device: where it computes.
        ensemble: both networks of a co-teaching run.
        batch_size: sentences per pass.

    Raises:
        BadInputError: weights without vocabulary or damaged ones, or one network where two are asked for.
    """
    states = [loaded.state_dict]
    if ensemble:
        if loaded.state_dict_2 is None:
            raise BadInputError(
                f"'{weights}' contains one network; --ensemble needs two, trained with --method coteaching"
            )
        states.append(loaded.state_dict_2)
    networks = []
    for state in states:
        network = build_model(loaded.meta, weights)
        load_state(network, state, weights)
        networks.append(network.eval().to(device=device, memory_format=torch.channels_last))  # type: ignore[call-overload]
    try:
        vocabulary = Vocabulary.from_list(loaded.meta["vocabulary"])
    except BadInputError as error:
        raise BadInputError(f"'{weights}' is damaged: {error}") from None
    return SentenceMapper(networks, loaded.meta, vocabulary, batch_size)
