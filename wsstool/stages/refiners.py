"""Refiners for the stages that refine score maps with the image, one or several in turn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from wsstool.errors import UsageError
from wsstool.family import Registry
from wsstool.prompts.segmenter import FilledBoxes, PromptedImage
from wsstool.regions import Proposals
from wsstool.registry import REFINERS
from wsstool.types import SILENT, Messages

Refiner = Callable[..., np.ndarray]
"""``f(scores, image, **guides) -> scores``"""

GUIDES = {
    "regions": "region proposals: give --regions FILE to 'wsstool pseudo-mask'",
    "features": "features of a network: give --weights FILE, or --init FILE and --arch NAME, to 'wsstool "
    "pseudo-mask'",
    "segmenter": "the weights of Segment Anything: give --sam-weights FOLDER to 'wsstool pseudo-mask'",
}
"""What a refiner may read beside scores and image -> what it is and where it comes from."""

_BACKGROUND = "background"
"""Channel of the background, which a refiner may read too; -1: none."""


@dataclass(frozen=True)
class Refiners:
    """Refiners in turn, each with its options bound.

    Args:
        steps: each refiner, and the names of the guides that it takes.
    """

    steps: tuple[tuple[Refiner, tuple[str, ...]], ...]

    def __call__(self, scores: np.ndarray, image: np.ndarray, **guides: Any) -> np.ndarray:
        for refine, names in self.steps:
            scores = refine(scores, image, **{name: guides[name] for name in names if name in guides})
        return scores


def guides_of(names: Iterable[str]) -> set[str]:
    """Return the guides that any of these refiners takes."""
    return {guide for name in names for guide in GUIDES if REFINERS.takes(name, guide)}


def find_refiner(
    names: str | Sequence[str] | None,
    settings: Iterable[str] | None,
    messages: Messages = SILENT,
    *,
    of_probabilities: bool = False,
    guides: Collection[str] = (),
) -> tuple[Refiner | None, dict[str, Any]]:
    """Find the refiners of ``--refine`` and bind their options; wrong values are found now.

    Args:
        names: of the refiners, in order, or None.
        settings: ``NAME=VALUE`` texts; each goes to the first refiner that takes it.
        messages: warned of settings that do nothing beside the others.
        of_probabilities: whether the scores are probabilities; some refiners need to know.
        guides: those of ``GUIDES`` that the caller will pass.

    Returns:
        ``f(scores, image, **guides) -> scores``, or None without a name; and all options.

    Raises:
        UsageError: no refiner of that name, one twice, one that needs a guide which is not there, or a
            setting that it refuses.
    """
    chosen = [names] if isinstance(names, str) else list(names or ())
    if not chosen:
        return None, {}
    steps: list[tuple[Refiner, tuple[str, ...]]] = []
    options: dict[str, Any] = {}
    pairs = split_settings(list(settings or ()), *((REFINERS, name) for name in chosen))
    for name, of_name in zip(chosen, pairs, strict=True):
        if chosen.count(name) > 1:
            raise UsageError(f"--refine {name} is there twice")
        if missing := guides_of([name]) - set(guides):
            raise UsageError(f"--refine {name} needs {GUIDES[min(missing)]}")
        own = REFINERS.settings(name, of_name)
        if of_probabilities and "unary" in REFINERS.own_options(name):
            own.setdefault("unary", "probabilities")
        for text in REFINERS.idle(name, own):
            messages.warn(text)
        taken = tuple(guide for guide in (*GUIDES, _BACKGROUND) if REFINERS.takes(name, guide))
        steps.append((partial(REFINERS.load(name), **own), taken))
        options |= own
    refiner = Refiners(tuple(steps))
    trial = np.eye(2, dtype=np.float32)[:, None]  # two labels, two pixels
    refiner(trial, np.zeros((1, 2, 3), np.uint8), **_TRIAL)
    return refiner, options


def split_settings(settings: Sequence[str], *methods: tuple[Registry, str | None]) -> list[list[str]]:
    """Give each ``--set`` pair to the first method that takes it; one that none takes, to the first method.

    Args:
        settings: ``NAME=VALUE`` texts.
        methods: family and name of each method; a method whose name is None takes nothing.

    Returns:
        The pairs of each method.
    """
    chosen = [k for k, (_, name) in enumerate(methods) if name is not None]
    pairs: list[list[str]] = [[] for _ in methods]
    for pair in settings:
        option = pair.partition("=")[0].strip().replace("-", "_")
        taking = [k for k in chosen if option in methods[k][0].own_options(methods[k][1] or "")]
        pairs[(taking or chosen)[0]].append(pair)
    return pairs


_TRIAL = {
    "regions": Proposals(np.zeros((1, 2), np.uint16), np.array([[0, 0, 1]], np.uint16)),
    "features": np.ones((1, 1, 2), np.float32),
    "segmenter": PromptedImage(FilledBoxes(), np.zeros((1, 2, 3), np.uint8)),
    _BACKGROUND: -1,
}
