"""``--layer-weight``: the weight of each label map of an image."""

from __future__ import annotations

import math
from collections.abc import Sequence

from wsstool.errors import UsageError
from wsstool.training.cotraining.segmentation_task import layer_number


def layer_weights(given: Sequence[str | float] | None, layers: Sequence[str]) -> list[float]:
    """Return one weight per label map, in the order of ``layers``.

    Args:
        given: one number per layer in order, or ``LAYER=NUMBER`` in any order; None: equal, with sum 1.
        layers: names of the label maps.

    Raises:
        UsageError: not one weight per layer, an unknown layer, a weight below 0, or no weight above 0.

    Example:
        >>> layer_weights(["bn7=.6", "b4_5=.2", "b5_2=.2"], ["b4_5", "b5_2", "bn7"])
        [0.2, 0.2, 0.6]
    """
    if not given:
        return [1.0 / len(layers)] * len(layers)
    texts = [str(one) for one in given]
    named = [text for text in texts if "=" in text]
    if named and len(named) < len(texts):
        first = next(text for text in texts if "=" not in text)
        raise UsageError(f"--layer-weight {first}: name the layer in all of them, LAYER=WEIGHT, or in none")
    if not named and len(texts) != len(layers):
        raise UsageError(
            f"--layer-weight must be given {len(layers)} times, once for each of {', '.join(layers)}, "
            f"not {times(len(texts))}"
        )
    found: dict[int, float] = {}
    for position, text in enumerate(texts):
        name, equals, number = text.rpartition("=")
        at = layer_number(name, layers, f"--layer-weight {text}") if equals else position
        if at in found:
            raise UsageError(f"--layer-weight {text}: {layers[at]} is given twice")
        found[at] = _weight(text, number)
    if missing := [layer for at, layer in enumerate(layers) if at not in found]:
        raise UsageError(f"--layer-weight is missing for {', '.join(missing)}; 0 leaves a layer out")
    if not sum(found.values()) > 0:
        raise UsageError("--layer-weight is 0 for every layer: there is nothing to learn from")
    return [found[at] for at in range(len(layers))]


def _weight(text: str, number: str) -> float:
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not 0 <= weight < math.inf:
        raise UsageError(f"--layer-weight {text}: '{number}' is not a number of 0 or more")
    return weight


def times(count: int) -> str:
    """Spell a number of times."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
