"""What refiners of class maps read beside scores and image: the region proposals of each image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, WsstoolError
from wsstool.stages.inputs.paired_records import check_same_images
from wsstool.stages.options.pseudo_mask import ClassMapOptions
from wsstool.stages.refiners import guides_of


@dataclass(frozen=True)
class Guides:
    """The open sources of what refiners read.

    Args:
        inputs: of them, for the key and the history.
        regions: a proposal file in any order, or None.
        rows: image name -> its record there.
    """

    inputs: tuple[store.Input, ...] = ()
    regions: store.RandomAccess | None = None
    rows: Mapping[str, int] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        return {"regions"} if self.regions else set()

    def of(self, name: str, image: np.ndarray | None) -> dict[str, Any] | WsstoolError:
        """Return the guides of an image by name, or why it has none."""
        if self.regions is None:
            return {}
        record = self.regions[self.rows[name]]
        if record.failed:
            return BadInputError("its proposals failed in an earlier stage")
        try:
            return {"regions": record.proposals}
        except BadInputError as error:
            return error


def open_guides(header: store.Header, options: ClassMapOptions) -> Guides:
    """Open what the refiners of ``pseudo-mask`` read, and check that it is of the images of ``header``.

    Raises:
        BadInputError: proposals of other images or sizes; others: see ``store.open_random``.
    """
    needed = guides_of(options.refine or ())
    if "regions" not in needed or options.regions is None:
        return Guides()
    regions = store.open_random(options.regions, kinds=("proposal",), command="--refine regions")
    check_same_images(regions.header, header, options.regions, options.source, "class maps")
    return Guides(
        (regions.header.as_input("regions", path=options.regions),),
        regions,
        {name: i for i, name in enumerate(regions.header.images)},
    )
