"""Rough masks outlined anew by Segment Anything: each part of a class gives prompts."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from wsstool.errors import UsageError
from wsstool.masks.inputs import checked
from wsstool.prompts.rough_masks import RoughMaskPrompts
from wsstool.prompts.segmenter import PromptedImage


def sam(
    scores: np.ndarray,
    image: np.ndarray,
    segmenter: PromptedImage,
    background: int = -1,
    *,
    agreement: float = 0.5,
    parts: bool = True,
    min_area: int = 64,
    points: bool = True,
    elastic: bool = True,
    gaussian: bool = True,
    similarity: float = 0.5,
    strength: float = 30.0,
    span: float = 4.0,
) -> np.ndarray:
    """Replace the rough masks of the classes by masks of Segment Anything (SAM) that agree with them.

    Each pixel has the class of its best score. Every connected part of a class other than the background
    gives a prompt: its box and what ``RoughMaskPrompts`` derives from it. The mask of SAM replaces the part
    if their IoU is at least ``agreement``; otherwise the part stays as it is. Where masks and parts of
    different classes meet, the one with the higher mean score of its class over the rough part wins.

    Args:
        scores: (K, H, W) float32 in [0, 1], background included.
        image: (H, W, 3) uint8 RGB.
        segmenter: this image under SAM.
        background: channel of the background, or -1: every pixel belongs to a class.
        agreement: least IoU of a mask with its rough part, [0, 1]; 0 trusts SAM always.
        parts: one prompt per connected part (8 neighbours) of a class; otherwise one per class.
        min_area: smaller parts keep their pixels and give no prompt; pixels, at least 1.
        points: prompt with a point in the middle of the part and one on the background in its box.
        elastic: let the box grow where the features around it are those of the part.
        gaussian: prompt with a mask that falls from the middle of the part to its border.
        similarity: cosine similarity from which features count as those of the part, [-1, 1].
        strength: logit of the mask prompt at its centre, above 0.
        span: width of the mask prompt, above 0.

    Returns:
        (K, H, W) float32: 1 for the class of a pixel, else 0. Pixels of a replaced part outside all masks
        become background; without a background they keep their class.

    Raises:
        UsageError: an invalid option value.

    Notes:
        Quality is unmeasured here, as wsstool brings no weights of SAM. They were trained on a billion masks,
        so results are not weakly supervised.
        SAMRefiner splits the rough mask of a class into its connected parts as well, but merges some of
        them again; here they stay apart.

    Source:
        Kirillov et al., "Segment Anything", ICCV 2023; Lin et al. (SAMRefiner), ICLR 2025, for the prompts,
        see ``wsstool.prompts.rough_masks``. When a part is replaced, and which class wins, is our own rule.
    """
    if not 0 <= agreement <= 1 or min_area < 1:
        raise UsageError(
            f"sam needs an agreement in [0, 1] and a min_area of at least 1, not {agreement:g} and {min_area}"
        )
    derived = RoughMaskPrompts(points, elastic, gaussian, similarity, strength, span)
    scores = checked(scores, image)
    if scores.size == 0:
        return scores.copy()
    labels = scores.argmax(0)
    numbers, channels = _parts(labels, len(scores), background, parts)
    areas = np.bincount(numbers.reshape(-1), minlength=len(channels))
    own = np.take_along_axis(scores, labels[None], 0)
    means = np.bincount(numbers.reshape(-1), own.reshape(-1), len(channels)) / np.maximum(areas, 1)
    means[0] = -1  # any mask wins against the background
    large = [n for n in range(1, len(channels)) if areas[n] >= min_area]
    found = segmenter.masks(derived.of(numbers == n, segmenter) for n in large)
    masks: dict[int, tuple[tuple[slice, ...], np.ndarray]] = {}
    for n, (mask, _) in zip(large, found, strict=True):
        shared = int((mask & (numbers == n)).sum())
        either = int(mask.sum()) + int(areas[n]) - shared
        if mask.any() and shared >= agreement * either:
            (window,) = ndimage.find_objects(mask.astype(np.uint8))
            masks[n] = (window, mask[window].copy())
    left = np.isin(numbers, list(masks))
    best = np.where(left, -1, means[numbers])  # score of the class that a pixel has so far
    if background >= 0:
        labels[left] = background
    for n, (window, mask) in masks.items():
        wins = mask & (means[n] > best[window])
        labels[window][wins], best[window][wins] = channels[n], means[n]
    return (labels == np.arange(len(scores))[:, None, None]).astype(np.float32)


def _parts(labels: np.ndarray, k: int, background: int, parts: bool) -> tuple[np.ndarray, list[int]]:
    """Number the connected parts of the rough masks, or the rough masks, class by class.

    Returns:
        (H, W) number of the part at each pixel, from 1, 0 on the background; and the class of each number.
    """
    numbers, channels = np.zeros(labels.shape, np.int64), [background]
    for channel in range(k):
        mask = labels == channel
        if channel == background or not mask.any():
            continue
        found, count = ndimage.label(mask, np.ones((3, 3))) if parts else (mask, 1)
        numbers[mask] = found[mask].astype(np.int64) + len(channels) - 1
        channels += [channel] * count
    return numbers, channels
