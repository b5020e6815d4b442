"""What phrases mean in a scene, with three truth values.

People disagree about a star that lies slightly left of the middle. Such cases have the value None, and a
sentence counts as naming an object only if it is clearly true of that object and clearly false of all others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Truth = bool | None

SIDES = ("left", "right", "top", "bottom")
CORNERS = ("top left", "top right", "bottom left", "bottom right")

_HALF = 0.08  # a centre this near to the middle line is on no side; shares of the image
_MIDDLE = (0.16, 0.3)  # distance from the centre of the image: surely in the middle, surely not
_APART = (0.08, -0.05)  # displacement towards a side: surely on it, surely not
NEAR = 0.06  # places and distances closer than this are not ranked
LARGER = math.log(1.25)  # areas of a smaller ratio are not ranked


@dataclass(frozen=True)
class Item:
    """An object as phrases see it.

    Args:
        kind, colour, texture, size: words, see ``lexicon``.
        x, y: centre of its box from the left and the top, as shares of the image.
        area: its pixels as a share of the image.
    """

    kind: str
    colour: str
    texture: str
    size: str
    x: float
    y: float
    area: float


def conjunction(*truths: Truth) -> Truth:
    """Return whether all are true: surely not if one is false.

    Example:
        >>> conjunction(True, None), conjunction(False, None)
        (None, False)
    """
    return False if False in truths else None if None in truths else True


def negation(truth: Truth) -> Truth:
    """Return the opposite; what is vague stays vague."""
    return None if truth is None else not truth


def named(truths: Sequence[Truth]) -> int | None:
    """Return the number of the only object that a phrase is true of; None if it is not the only one.

    Example:
        >>> named([False, True]), named([True, True]), named([None, True])
        (1, None, None)
    """
    return list(truths).index(True) if sum(t is not False for t in truths) == 1 and True in truths else None


def at(item: Item, place: str) -> Truth:
    """Return whether an object is on a side, in a corner or in the middle of the image."""
    if place == "middle":
        inner, outer = _MIDDLE
        distance = math.hypot(item.x - 0.5, item.y - 0.5)
        return True if distance < inner else False if distance > outer else None
    return conjunction(*(_on_side(item, side) for side in place.split()))


def beside(item: Item, other: Item, side: str) -> Truth:
    """Return whether an object lies on a side of another one; true only if rather there than across."""
    towards, across = other.x - item.x, abs(other.y - item.y)
    if side in ("top", "bottom"):
        towards, across = other.y - item.y, abs(other.x - item.x)
    if side in ("right", "bottom"):
        towards = -towards
    if towards >= _APART[0] and towards >= 0.7 * across:
        return True
    return False if towards <= _APART[1] else None


def ranked(base: Sequence[Truth], keys: Sequence[float], gap: float, rank: int) -> list[Truth]:
    """Return of which object it is true that it has this rank among those of a phrase.

    Args:
        base: truth of the phrase for each object.
        keys: what they are ordered by, ascending.
        gap: the least difference between neighbours that counts.
        rank: 0 is the first.

    Returns:
        None for all objects where the order is not clear, or where fewer than two objects are ordered.
    """
    members = sorted((k for k, truth in enumerate(base) if truth), key=lambda k: keys[k])
    vague: list[Truth] = [None] * len(base)
    if None in base or len(members) < 2 or rank >= len(members):
        return vague
    around = members[max(rank - 1, 0) : rank + 2]
    if any(keys[b] - keys[a] < gap for a, b in pairwise(around)):
        return vague
    return [k == members[rank] for k in range(len(base))]


def coordinate(item: Item, side: str) -> float:
    """Return the distance of an object from a side of the image."""
    return {"left": item.x, "right": 1 - item.x, "top": item.y, "bottom": 1 - item.y}[side]


def distance(item: Item, other: Item) -> float:
    """Return the distance between two centres."""
    return math.hypot(item.x - other.x, item.y - other.y)


def _on_side(item: Item, side: str) -> Truth:
    reach = coordinate(item, side)
    return True if reach < 0.5 - _HALF else False if reach > 0.5 + _HALF else None
