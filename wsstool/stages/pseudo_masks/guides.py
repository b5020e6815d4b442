"""What refiners of class maps read beside scores and image: proposals, features, a promptable segmenter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, WsstoolError
from wsstool.prompts.segmenter import PromptedImage, Segmenter
from wsstool.stages.inputs.paired_records import check_same_images
from wsstool.stages.options.pseudo_mask import ClassMapOptions
from wsstool.stages.refiners import GUIDES, guides_of
from wsstool.types import Messages


@dataclass(frozen=True)
class Guides:
    """The open sources of what refiners read.

    Args:
        inputs: of them, for the key and the history.
        regions: a proposal file in any order, or None.
        rows: image name -> its record there.
        features: of an image, or None.
        segmenter: promptable, or None.
    """

    inputs: tuple[store.Input, ...] = ()
    regions: store.RandomAccess | None = None
    rows: Mapping[str, int] = field(default_factory=dict)
    features: Callable[[np.ndarray], np.ndarray] | None = None
    segmenter: Segmenter | None = None

    @property
    def names(self) -> set[str]:
        return {name for name in GUIDES if getattr(self, name) is not None}

    def of(self, name: str, image: np.ndarray | None) -> dict[str, Any] | WsstoolError:
        """Return the guides of an image by name, or why it has none."""
        found: dict[str, Any] = {}
        if self.features is not None and image is not None:
            found["features"] = self.features(image)
        if self.segmenter is not None and image is not None:
            found["segmenter"] = PromptedImage(self.segmenter, image)
        if self.regions is not None:
            record = self.regions[self.rows[name]]
            if record.failed:
                return BadInputError("its proposals failed in an earlier stage")
            try:
                found["regions"] = record.proposals
            except BadInputError as error:
                return error
        return found


def open_guides(header: store.Header, options: ClassMapOptions, messages: Messages) -> Guides:
    """Open what the refiners of ``pseudo-mask`` read, and check that it is of the images of ``header``.

    Raises:
        BadInputError: proposals of other images. Others: see ``store.open_random``,
            ``open_features`` and ``open_segmenter``.
    """
    needed = guides_of(options.refine or ())
    found = Guides()
    if "regions" in needed and options.regions is not None:
        regions = store.open_random(options.regions, kinds=("proposal",), command="--refine regions")
        check_same_images(regions.header, header, options.regions, options.source, messages, "class maps")
        rows = {name: i for i, name in enumerate(regions.header.images)}
        found = Guides((regions.header.as_input("regions", path=options.regions),), regions, rows)
    if "features" in needed:
        from wsstool.stages.networks.features import open_features
        from wsstool.stages.networks.whole_tokens import say_padding

        features = open_features(options)
        if features is not None:
            say_padding(features, header.sizes, messages)
            found = replace(found, inputs=(*found.inputs, *features.inputs), features=features)
    if "segmenter" in needed and options.sam_weights is not None:
        from wsstool.stages.networks.promptable import open_segmenter

        segmenter, source = open_segmenter(options.sam_weights, options.device)
        found = replace(found, inputs=(*found.inputs, source), segmenter=segmenter)
    return found
