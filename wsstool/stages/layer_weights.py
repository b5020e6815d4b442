"""``--layer-weight``: how much each label map of an image counts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from wsstool.errors import UsageError
from wsstool.training.segmentation_task import layer_number


def layer_weights(given: Sequence[str | float] | None, layers: Sequence[str]) -> list[float]:
    """One weight a label map, in the order of ``layers``.

    Args:
        given: a number a layer in their order, or ``LAYER=NUMBER`` in any; None: equal, with sum 1.
        layers: names of the label maps.

    Raises:
        UsageError: not one weight a layer, a layer that is not there, a weight below 0, or nothing above 0.

    Example:
        >>> layer_weights(["bn7=.6", "b4_5=.2", "b5_2=.2"], ["b4_5", "b5_2", "bn7"])
        [0.2, 0.2, 0.6]
    """
    if not given:
        return [1.0 / len(layers)] * len(layers)
    found: dict[int, float] = {}
    for position, one in enumerate(map(str, given)):
        name, equals, number = one.rpartition("=")
        try:
            weight = float(number)
        except ValueError:
            raise UsageError(f"--layer-weight {one}: a number, or LAYER=NUMBER") from None
        found[layer_number(name, layers) if equals else position] = weight
    weights = list(found.values())
    is_complete = sorted(found) == list(range(len(layers))) and len(given) == len(layers)
    if not is_complete or not all(0 <= w < math.inf for w in weights) or sum(weights) <= 0:
        raise UsageError(
            f"--layer-weight must be given {len(layers)} times, once for each of {', '.join(layers)}: "
            "finite numbers, none below 0, not all 0"
        )
    return [found[number] for number in range(len(layers))]
