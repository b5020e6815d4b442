"""From one entry per image to one per sentence."""

from __future__ import annotations

from torch import Tensor


def per_sentence(x: Tensor, image_of: Tensor | None) -> Tensor:
    """Return the entry of the image of each sentence: (B,...) -> (S,...).

    A single image is repeated without a copy.

    Args:
        x: one entry per image, or per sentence if ``image_of`` is None: then returned as it is.
        image_of: (S,) int64.
    """
    if image_of is None:
        return x
    if len(x) == 1:
        return x.expand(image_of.shape[0], *x.shape[1:])
    return x[image_of]
