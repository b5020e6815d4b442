"""Segment Anything as a selection method: boxes, and maps where there are some, are its prompts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from wsstool.errors import UsageError
from wsstool.prompts.rough_masks import RoughMaskPrompts
from wsstool.prompts.segmenter import Prompt, PromptedImage
from wsstool.regions import box_mask

GUIDES = ("box", "region")


def sam(
    image: PromptedImage,
    boxes: np.ndarray,
    priors: Iterable[np.ndarray | None],
    *,
    guide: str = "box",
    threshold: float = 0.5,
    points: bool = True,
    elastic: bool = False,
    gaussian: bool = True,
    similarity: float = 0.5,
    strength: float = 30.0,
    span: float = 4.0,
) -> Iterator[tuple[np.ndarray, float]]:
    """Segment the object of each box with Segment Anything (SAM).

    The box is the prompt; with ``guide=region`` further prompts come from the rough mask that the map of the
    object shows inside the box. Of the three masks of SAM the one of the highest predicted IoU counts.

    Args:
        image: the image under SAM.
        boxes: (N, 4) xyxy in pixels.
        priors: the map of each object, (H, W) in [0, 1] and not empty; None with ``guide=box``.
        guide: ``box`` or ``region``: prompts from the map too.
        threshold: value from which the map belongs to the rough mask, (0, 1]; where it never reaches it
            inside the box, half its maximum there.
        points: a point on the object, the farthest from the border of the rough mask, and one on the
            background, the farthest from it in the box.
        elastic: boxes grow where the features around them are those of the rough mask; for boxes that may be
            too small. Otherwise masks end at their box.
        gaussian: mask prompt that falls from the middle of the rough mask to its border.
        similarity: cosine similarity from which features count as those of the object, [-1, 1].
        strength: logit of the mask prompt at its centre, above 0.
        span: width of the mask prompt, above 0.

    Yields:
        (H, W) bool mask and predicted IoU in [0, 1] of each object.

    Raises:
        UsageError: an invalid option value.

    Notes:
        Quality is unmeasured here, as wsstool brings no weights of SAM. They were trained on a billion masks,
        so results are not weakly supervised.

    Source:
        Kirillov et al., "Segment Anything", ICCV 2023; prompts from rough masks: Lin et al. (SAMRefiner),
        ICLR 2025, see ``wsstool.prompts.rough_masks``. The network is that of the package transformers.
    """
    if guide not in GUIDES:
        raise UsageError(f"sam has the guides {', '.join(GUIDES)}, not '{guide}'")
    if not 0 < threshold <= 1:
        raise UsageError(f"sam needs a threshold in (0, 1], not {threshold:g}")
    derived = RoughMaskPrompts(points, elastic, gaussian, similarity, strength, span)
    grows = guide == "region" and elastic

    def prompt(box: np.ndarray, prior: np.ndarray | None) -> Prompt:
        if guide == "box":
            return Prompt(box)
        assert prior is not None
        return derived.of(_rough(prior, box, threshold), image, box)

    found = image.masks(map(prompt, boxes, priors))
    return (
        (mask if grows else mask & box_mask(box, image.size), score)
        for box, (mask, score) in zip(boxes, found, strict=True)
    )


def _rough(prior: np.ndarray, box: np.ndarray, threshold: float) -> np.ndarray:
    """Return the (H, W) bool rough mask that a map shows inside a box, or wherever it is not 0."""
    inside = np.where(box_mask(box, prior.shape), prior, 0)
    values = inside if inside.any() else prior
    peak = values.max()
    return np.asarray(values >= (threshold if peak >= threshold else peak / 2))
