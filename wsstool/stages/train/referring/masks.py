"""Ground-truth masks of objects that sentences name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wsstool import store
from wsstool.stages.inputs.named_objects import NamedObjects
from wsstool.store.provenance import canonical_json, digest
from wsstool.training.images.sentence_images import NamedObject
from wsstool.types import IGNORE


class NamedMasks:
    """Object -> (H,W) uint8 ground-truth mask, all 255 without one; picklable."""

    def __init__(self, source: NamedObjects) -> None:
        self.source = source
        self.sizes = source.dataset.sizes()

    @property
    def input(self) -> store.Input:
        """The masks as an input of the run, identified by content."""
        return store.Input(
            "truth", {"fingerprint": digest(canonical_json([r.mask for r in self.source.rows]))}
        )

    def __call__(self, one: NamedObject) -> np.ndarray:
        mask = self.source.mask(one.number)
        if mask is None:
            return np.full(tuple(self.sizes[one.image]), IGNORE, np.uint8)
        return mask.astype(np.uint8)

    def known(self, objects: Sequence[NamedObject]) -> list[NamedObject]:
        """Return the objects that have a mask."""
        return [one for one in objects if self.source.rows[one.number].mask is not None]
