"""The training dataset of a network that reads sentences: one item per image and group of its sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from wsstool.data.augmentation.whole_images import WholeImages
from wsstool.errors import UsageError
from wsstool.training.epoch_loader import Key, item_generator


@dataclass(frozen=True)
class NamedObject:
    """One object with its sentences: image number, number of the object, box, and encoded sentences."""

    image: int
    number: int
    box: np.ndarray  #: (4,) float32 xyxy
    words: np.ndarray  #: (S,T) int64, 0 where there is no word


class SentenceImages(Dataset[dict[str, Tensor]]):
    """Images with groups of their sentences, indexed by (epoch, item).

    An epoch shows every sentence once. The sentences of an image are shuffled anew in each epoch and divided
    into groups of nearly equal size; the image of a group is prepared, and passed through the first stages of
    the network, once.

    Args:
        images: number -> (H,W,3) uint8 RGB.
        objects: objects with sentences.
        view: prepares an image.
        group: largest number of sentences in a group, at least 1.
        masks: object -> (H,W) uint8 mask, 1 object, 0 not, 255 unknown; None: no masks.
        seed: of groups and colours.

    Raises:
        UsageError: groups of less than one sentence.
    """

    def __init__(
        self,
        images: Callable[[int], np.ndarray],
        objects: Sequence[NamedObject],
        view: WholeImages,
        *,
        group: int = 1,
        masks: Callable[[NamedObject], np.ndarray] | None = None,
        seed: int = 0,
    ) -> None:
        if group < 1:
            raise UsageError(f"{group} sentences in a group: give 1 or more")
        self.images, self.objects, self.view = images, list(objects), view
        self.group, self.masks, self.seed = group, masks, seed
        self.sentences: dict[int, list[tuple[int, int]]] = {}
        for number, one in enumerate(self.objects):
            there = self.sentences.setdefault(one.image, [])
            there += [(number, k) for k in range(len(one.words))]
        self.items = [
            (image, part, -(-len(there) // group))
            for image, there in sorted(self.sentences.items())
            for part in range(-(-len(there) // group))
        ]

    def __len__(self) -> int:
        return len(self.items)

    @property
    def n_sentences(self) -> int:
        """Number of sentences of an epoch."""
        return sum(map(len, self.sentences.values()))

    def __getitem__(self, key: Key) -> dict[str, Tensor]:
        """Return ``image`` (3,S,S) uint8, ``words`` (K,T) int64 and ``box`` (K,4) float32.

        With masks also ``mask`` (K,S,S) uint8.
        """
        epoch, item = key
        image, part, parts = self.items[item]
        there = self.sentences[image]
        order = np.random.default_rng([self.seed, epoch, image, 2]).permutation(len(there))
        chosen = [there[k] for k in np.array_split(order, parts)[part]]
        objects = [self.objects[number] for number, _ in chosen]
        view = self.view(
            self.images(image),
            np.stack([one.box for one in objects]),
            item_generator(self.seed, epoch, item),
            None if self.masks is None else [self.masks(one) for one in objects],
        )
        words = np.stack([one.words[k] for one, (_, k) in zip(objects, chosen, strict=True)])
        found = {
            "image": torch.from_numpy(view.image.copy()).movedim(-1, 0).contiguous(),
            "words": torch.from_numpy(words),
            "box": torch.from_numpy(view.boxes),
        }
        if view.masks is not None:
            found["mask"] = torch.from_numpy(view.masks)
        return found


def join_groups(items: Sequence[dict[str, Tensor]]) -> dict[str, Any]:
    """Join items of ``SentenceImages`` to a batch of B images and S sentences.

    Returns:
        ``image`` (B,3,H,W), ``image_of`` (S,) int64, the image of each sentence, and ``words``, ``box`` and
        ``mask`` with S entries.
    """
    counts = torch.tensor([len(one["words"]) for one in items])
    batch = {name: torch.cat([one[name] for one in items]) for name in items[0] if name != "image"}
    image_of = torch.arange(len(items)).repeat_interleave(counts)
    return {"image": torch.stack([one["image"] for one in items]), "image_of": image_of, **batch}
