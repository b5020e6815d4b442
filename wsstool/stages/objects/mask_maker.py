"""Make the masks of all boxes of an image by one method, with a fallback where it finds nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wsstool.family import Registry
from wsstool.prompts.segmenter import FilledBoxes, PromptedImage, Segmenter
from wsstool.regions import Proposals, box_in_window, box_mask, pixel_bounds
from wsstool.registry import FILLERS, PROMPTERS, SELECTORS
from wsstool.selection.confidence import quality
from wsstool.selection.map_kind import map_kind
from wsstool.types import IGNORE


@dataclass(frozen=True)
class ImageObjects:
    """The boxes of one image, with maps, proposals and pixels for masking their objects.

    Args:
        size: (H, W).
        boxes: (B, 4) float32 xyxy in pixels.
        windows: (B, 4) int32 xyxy.
        maps: one (h, w) map per window, None where there is none.
        proposals: or None.
        pixels: (H, W, 3) uint8, or None.
    """

    size: tuple[int, int]
    boxes: np.ndarray
    windows: np.ndarray
    maps: Sequence[np.ndarray | None]
    proposals: Proposals | None = None
    pixels: np.ndarray | None = None


@dataclass(frozen=True)
class ObjectMask:
    """One mask.

    Args:
        mask: (h, w) uint8 of the window: 1 object, 0 other, 255 unsure.
        score: quality in [0, 1], estimated without ground truth; predicted by the segmenter that made it.
        reason: why a fallback made it; empty: the method did.
        baselines: quality of the masks of other methods, by name.
        map_kind: kind of its map, if the method reads it, see ``selection.map_kind``.
    """

    mask: np.ndarray
    score: float
    reason: str = ""
    baselines: dict[str, float] = field(default_factory=dict)
    map_kind: str = ""


@dataclass(frozen=True)
class MaskMaker:
    """A method by name with its options, looked up once.

    Args:
        name: in ``registry``.
        registry: ``SELECTORS``, ``FILLERS`` or ``PROMPTERS``.
        function: the method.
        own: its options.
        guide: kind of the maps: ``region`` or ``contour``.
        takes_image: it reads pixels.
        takes_map: it requires a map.
        segmenter: that a prompter prompts.
    """

    name: str
    registry: Registry
    function: Callable[..., Any]
    own: dict[str, Any]
    guide: str
    takes_image: bool
    takes_map: bool
    segmenter: Segmenter = field(default_factory=FilledBoxes)

    @classmethod
    def of(cls, name: str, settings: Sequence[str] = (), guide: str | None = None) -> MaskMaker:
        """Raise UsageError for options that the method does not have."""
        registry = next((one for one in (SELECTORS, PROMPTERS) if name in one), FILLERS)
        own = registry.settings(name, settings)
        default = registry.own_options(name).get("guide")
        says = own.get("guide", default.default if default is not None else None)
        maker = cls(
            name,
            registry,
            registry.load(name),
            own,
            guide or ("contour" if says == "contour" else "region"),
            registry is not SELECTORS and registry.takes(name, "image"),
            registry.takes(name, "prior") if registry is FILLERS else says not in (None, "box"),
        )
        maker._check_options()
        return maker

    @property
    def takes_proposals(self) -> bool:
        return self.registry is SELECTORS

    @property
    def prompts(self) -> bool:
        """Whether it masks all boxes of an image together, see ``prompted``."""
        return self.registry is PROMPTERS

    def idle(self) -> list[str]:
        """Return one sentence per option without effect."""
        return self.registry.idle(self.name, self.own)

    def _check_options(self) -> None:
        """Raise UsageError for values out of range before anything is written: on an image of 8 x 8."""
        box, ones = np.array([[1, 1, 7, 7]], np.float32), np.ones((8, 8), np.float32)
        whole = Proposals(np.zeros((8, 8), np.uint16), np.array([[0, 0, 1]], np.uint16))
        image = np.zeros((8, 8, 3), np.uint8)
        image[2:6, 2:6] = 255
        windows = np.array([[0, 0, 8, 8]], np.int32)
        objects, canvas = (
            ImageObjects((8, 8), box, windows, [ones], whole, image),
            np.zeros((8, 8), np.float32),
        )
        _ = self.prompted(objects, [0]) if self.prompts else self.mask(objects, 0, canvas)

    def mask(self, image: ImageObjects, k: int, canvas: np.ndarray) -> tuple[np.ndarray, str]:
        """(h, w) uint8 mask of box ``k``, and why there is none.

        Args:
            image: the image.
            k: number of the box.
            canvas: (H, W) float32 zeros, for the map at its place; zeros again afterwards.
        """
        x0, y0, x1, y1 = image.windows[k].tolist()
        window, prior = (slice(y0, y1), slice(x0, x1)), image.maps[k]
        size = (y1 - y0, x1 - x0)
        if self.takes_map and _is_empty(prior):
            return np.zeros(size, np.uint8), "empty map"
        if not self.takes_proposals:
            box = box_in_window(image.boxes[k], image.windows[k])
            given: dict[str, Any] = {"prior": prior} if self.takes_map else {}
            if self.takes_image:
                assert image.pixels is not None
                given["image"] = image.pixels[window]
            mask = self.function(size, box, **given, **self.own)
            return mask, "" if (mask == 1).any() else "empty mask"
        assert image.proposals is not None
        if prior is not None:
            canvas[window] = np.nan_to_num(prior, nan=0.0)
        known = canvas if prior is not None else None
        chosen, _ = self.function(image.proposals, known, image.boxes[k], **self.own)
        canvas[window] = 0
        if len(chosen):
            return proposal_mask(image.proposals, chosen, image.boxes[k], window), ""
        return np.zeros(size, np.uint8), self._why(image, k)

    def prompted(self, image: ImageObjects, rows: Sequence[int]) -> dict[int, tuple[np.ndarray, float]]:
        """Mask several boxes together, with one encoding of the image.

        Args:
            image: the image.
            rows: numbers of the boxes.

        Returns:
            Number of a box -> (h, w) uint8 mask in its window, and its predicted IoU in [0, 1]. Boxes whose
            map is empty are left out, where the method requires a map.
        """
        used = [k for k in rows if not (self.takes_map and _is_empty(image.maps[k]))]
        if not used:
            return {}
        assert image.pixels is not None
        under = PromptedImage(self.segmenter, image.pixels)
        priors = _placed(image, used) if self.takes_map else (None for _ in used)
        found = {}
        for k, (mask, score) in zip(
            used, self.function(under, image.boxes[used], priors, **self.own), strict=True
        ):
            x0, y0, x1, y1 = image.windows[k].tolist()
            found[k] = mask[y0:y1, x0:x1].astype(np.uint8), score
        return found

    def _why(self, image: ImageObjects, k: int) -> str:
        x0, y0, x1, y1 = pixel_bounds(image.boxes[k], image.size)
        left, top = image.windows[k][:2]
        prior = image.maps[k]
        if self.takes_map and prior is not None:
            near = prior[max(0, y0 - top) : y1 - top, max(0, x0 - left) : x1 - left]
            if np.nan_to_num(near, nan=0.0).max(initial=0) < 0.5 * np.nan_to_num(prior, nan=0.0).max():
                return "map only outside the box"
        return "no proposal in the box"


def _is_empty(prior: np.ndarray | None) -> bool:
    return prior is None or not np.nan_to_num(prior, nan=0.0).any()


def _placed(image: ImageObjects, rows: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield the maps of some boxes at their place in the image, (H, W) float32."""
    for k in rows:
        x0, y0, x1, y1 = image.windows[k].tolist()
        placed, prior = np.zeros(image.size, np.float32), image.maps[k]
        assert prior is not None
        placed[y0:y1, x0:x1] = np.nan_to_num(prior, nan=0.0)
        yield placed


def proposal_mask(
    proposals: Proposals, chosen: np.ndarray, box: np.ndarray, window: tuple[slice, slice]
) -> np.ndarray:
    """(h, w) uint8: the union of proposals, clipped to the box, in a window of the image."""
    held = proposals.members()[chosen].any(0)
    mask = held[proposals.superpixels[window]]
    return (mask & box_mask(box, proposals.superpixels.shape)[window]).astype(np.uint8)


def make_masks(
    image: ImageObjects, maker: MaskMaker, fallbacks: Sequence[MaskMaker], baselines: Sequence[MaskMaker] = ()
) -> list[ObjectMask]:
    """Make the mask of every box of an image.

    Args:
        image: the image.
        maker: the method.
        fallbacks: methods in the order in which they are tried; the last never fails.
        baselines: methods whose quality is measured too.
    """
    canvas = np.zeros(image.size, np.float32)
    found: list[ObjectMask] = []
    first = _first_alike(image)
    together = maker.prompted(image, sorted(set(first))) if maker.prompts else {}
    for k in range(len(image.boxes)):
        if first[k] < k:
            found.append(found[first[k]])
            continue
        predicted = None
        if not maker.prompts:
            mask, reason = maker.mask(image, k, canvas)
        elif k in together:
            mask, predicted = together[k]
            reason = "" if mask.any() else "empty mask"
        else:
            reason = "empty map"
        for other in fallbacks if reason else ():
            mask, why = other.mask(image, k, canvas)
            predicted = None
            if not why:
                break
        judged = _judge(image, k, maker.guide)
        others = {one.name: judged(one.mask(image, k, canvas)[0]) for one in baselines}
        prior = image.maps[k] if maker.takes_map else None
        kind = map_kind(prior) if prior is not None else ""
        score = judged(mask) if predicted is None else predicted
        found.append(ObjectMask(mask, score, reason, others, kind))
    return found


def _first_alike(image: ImageObjects) -> list[int]:
    """Return for each box the first one with the same mask: sentences about one object share its box."""
    first: dict[bytes, int] = {}
    return [
        first.setdefault(image.boxes[k].tobytes() + image.windows[k].tobytes(), k)
        if image.maps[k] is None
        else k
        for k in range(len(image.boxes))
    ]


def _judge(image: ImageObjects, k: int, guide: str) -> Callable[[np.ndarray], float]:
    """Rate the quality of a mask of box ``k``."""
    box = box_in_window(image.boxes[k], image.windows[k])
    return lambda mask: quality(np.where(mask == IGNORE, 1, mask), box, image.maps[k], guide)
