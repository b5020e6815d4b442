"""Turn the maps of one image into a label map: normalise, resize, add background, refine, decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from wsstool.errors import UsageError
from wsstool.masks.background import constant_background, power_background
from wsstool.masks.ignore import agreed, ignore_band, ignore_weak
from wsstool.masks.normalise import Scores
from wsstool.masks.resize import Part
from wsstool.masks.rules import argmax
from wsstool.types import IGNORE


@dataclass(frozen=True)
class PreparedMaps:
    """The score maps of an image as a ``Method`` uses them.

    Attributes:
        ids: (K,) class ids.
        scores: their maps, normalised.
        strength: the same maps, normalised for the pixels to ignore; or None.
    """

    ids: np.ndarray
    scores: Scores
    strength: Scores | None


@dataclass(frozen=True)
class Method:
    """All options between score maps and label map.

    Args:
        rule: ``f(scores, class_ids, background) -> labels``.
        gated: the rule also takes ``tags``, the ids of the tagged classes; without any all pixels are 255.
        refine: ``f(scores, image) -> scores``, or None; it also gets the ``guides`` of ``label_map``, if
            there are any, and then ``background``, the channel of the background or -1.
        normalise: a mode of ``normalise.MODES``.
        background: class id of the background, or -1: no pixel may become background, and a map of
            ``forbidden`` is dropped. If the maps have no background channel, one is added.
        forbidden: class id of the background that may not be used, or -1.
        threshold: score of the added background channel, [0, 1].
        threshold_low: a second, lower one; pixels where the two disagree are 255. None: one pass.
        power: exponent of a background channel (1 - max)^power instead of the constant, or None.
        ignore_margin: pixels whose best score is less than this above the second best are 255, [0, 1].
        ignore_below: foreground pixels on which all maps, unrefined, are below this share of the greatest
            value of the image are 255, [0, 1].
        seen: ``f(image) -> (H, W) bool``, pixels that are background whatever their scores are; or None.
        seen_id: the id that they get, 255 in a dataset without a background.
    Raises:
        UsageError: values outside their range, or options that exclude each other.
    """

    rule: Callable[..., np.ndarray] = argmax
    gated: bool = False
    refine: Callable[..., np.ndarray] | None = None
    normalise: str = "joint"
    background: int = -1
    forbidden: int = -1
    threshold: float = 0.3
    threshold_low: float | None = None
    power: float | None = None
    ignore_margin: float = 0.0
    ignore_below: float = 0.0
    seen: Callable[[np.ndarray], np.ndarray] | None = None
    seen_id: int = IGNORE

    def __post_init__(self) -> None:
        for value, what in (
            (self.threshold, "background threshold"),
            (self.threshold_low, "lower background threshold"),
            (self.ignore_margin, "ignore margin"),
            (self.ignore_below, "share below which pixels are ignored"),
        ):
            if value is not None and not 0 <= value <= 1:
                raise UsageError(f"the {what} must lie in [0, 1], not {value:g}")
        if self.power is not None and not self.power > 0:
            raise UsageError(f"the background power must be above 0, not {self.power:g}")
        if self.threshold_low is not None:
            if self.power is not None:
                raise UsageError("a background power and a lower background threshold cannot be combined")
            if self.threshold_low > self.threshold:
                raise UsageError(
                    f"the lower background threshold {self.threshold_low:g} is above {self.threshold:g}"
                )

    @property
    def reads_pixels(self) -> bool:
        """Whether ``label_map`` needs the image."""
        return self.refine is not None or self.seen is not None

    def label_map(
        self,
        maps: np.ndarray,
        class_ids: np.ndarray,
        size: tuple[int, int],
        image: np.ndarray | None = None,
        tags: np.ndarray | None = None,
        guides: Mapping[str, Any] | None = None,
    ) -> np.ndarray:
        """Return the label map of one image.

        Args:
            maps: (K, h, w) score maps.
            class_ids: (K,).
            size: (H, W) of the image.
            image: (H, W, 3) uint8; needed only if ``reads_pixels``.
            tags: ids of the tagged classes; needed only if ``gated``.
            guides: what the refiner reads beside scores and image, such as ``regions``.
        Returns:
            (H, W) uint8 class ids; 255 for undecided pixels.

        Raises:
            BadInputError: maps that are not finite, or an image of another size.
        """
        return self.label_part(self.prepared(maps, class_ids, size), None, image, tags, guides)

    def prepared(self, maps: np.ndarray, class_ids: np.ndarray, size: tuple[int, int]) -> PreparedMaps:
        """Normalise the maps of an image over all of it, so that its label map can be made part by part.

        Args:
            maps, class_ids, size: see ``label_map``.

        Raises:
            BadInputError: maps that are not finite.
        """
        ids = np.asarray(class_ids, np.int64)
        kept = ids != self.forbidden if self.forbidden >= 0 else np.ones(len(ids), bool)
        strength = Scores.of(maps[kept], "joint", size) if self.ignore_below else None
        return PreparedMaps(ids[kept], Scores.of(maps[kept], self.normalise, size), strength)

    def label_part(
        self,
        prepared: PreparedMaps,
        part: Part | None,
        image: np.ndarray | None = None,
        tags: np.ndarray | None = None,
        guides: Mapping[str, Any] | None = None,
    ) -> np.ndarray:
        """Return the label map of a part of an image.

        Args:
            prepared: its maps.
            part: which pixels; None: all.
            image: (rows, columns, 3) uint8, these pixels; needed only if ``reads_pixels``.
            tags: see ``label_map``.
            guides: likewise, of these pixels.

        Returns:
            (rows, columns) uint8, see ``label_map``.
        """
        ids, rule = prepared.ids, self.rule
        if self.gated:
            assert tags is not None
            if len(tags) == 0:
                return np.full(part[2:] if part else prepared.scores.size, IGNORE, np.uint8)
            rule = partial(rule, tags=tags)
        decided = partial(self._decided, rule=rule, image=image, guides=guides)
        labels = self._labels(prepared.scores.at(part), ids, decided)
        if prepared.strength is not None:
            strength = prepared.strength.at(part).max(axis=0, initial=0)
            labels = ignore_weak(labels, strength, self.ignore_below, self.background)
        if self.seen is not None and len(ids):
            assert image is not None
            labels = np.where(self.seen(image), np.uint8(self.seen_id), labels)
        return labels

    def _labels(
        self, scores: np.ndarray, ids: np.ndarray, decided: Callable[[np.ndarray, np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Decide the labels, after adding a background channel if there is none yet."""
        if self.background < 0 or self.background in ids:
            return decided(scores, ids)
        ids = np.concatenate([[self.background], ids])
        if self.power is not None:
            return decided(power_background(scores, self.power), ids)
        labels = decided(constant_background(scores, self.threshold), ids)
        if self.threshold_low is None:
            return labels
        low = decided(constant_background(scores, self.threshold_low), ids)
        return agreed(labels, low, self.background)

    def _decided(
        self,
        scores: np.ndarray,
        ids: np.ndarray,
        rule: Callable[..., np.ndarray],
        image: np.ndarray | None,
        guides: Mapping[str, Any] | None,
    ) -> np.ndarray:
        if self.refine is not None and len(ids):
            assert image is not None
            more: dict[str, Any] = {}
            if guides:
                is_there = self.background >= 0 and self.background in ids
                channel = int(np.argmax(ids == self.background)) if is_there else -1
                more = {**guides, "background": channel}
            scores = self.refine(scores, image, **more)
        return ignore_band(rule(scores, ids, self.background), scores, self.ignore_margin)
