"""The words of the sentences: for each meaning the ways to say it."""

from __future__ import annotations

Ways = tuple[str, ...]

KINDS: dict[str, Ways] = {
    "ball": ("ball", "ball", "sphere"),
    "crate": ("crate", "crate", "box"),
    "horse": ("horse", "horse", "pony"),
    "leaf": ("leaf",),
    "star": ("star",),
}
ANYTHING: Ways = ("one", "thing", "object")

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.86, 0.2, 0.16),
    "yellow": (0.92, 0.8, 0.18),
    "green": (0.22, 0.66, 0.26),
    "blue": (0.2, 0.38, 0.88),
    "purple": (0.6, 0.26, 0.72),
    "white": (0.93, 0.93, 0.93),
}
"""RGB in 0..1."""

SIZES: dict[str, Ways] = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}

TEXTURES: dict[str, Ways] = {
    "plain": ("plain",),
    "striped": ("striped",),
    "spotted": ("spotted", "dotted"),
    "checkered": ("checkered",),
}
PATTERNS: dict[str, str] = {"striped": "stripes", "spotted": "dots", "checkered": "squares"}
"""Texture -> what such objects have on them: ``with stripes``, ``without stripes``."""

PLACES: dict[str, Ways] = {
    "left": ("on the left", "at the left", "on the left side"),
    "right": ("on the right", "at the right", "on the right side"),
    "top": ("at the top", "near the top"),
    "bottom": ("at the bottom", "near the bottom"),
    "middle": ("in the middle", "in the center"),
    "top left": ("at the top left", "in the upper left corner"),
    "top right": ("at the top right", "in the upper right corner"),
    "bottom left": ("at the bottom left", "in the lower left corner"),
    "bottom right": ("at the bottom right", "in the lower right corner"),
}
PLACES_BEFORE: dict[str, Ways] = {
    **{place: (place,) for place in ("left", "right", "top", "bottom")},
    "middle": ("middle", "center"),
    "top left": ("top left", "upper left"),
    "top right": ("top right", "upper right"),
    "bottom left": ("bottom left", "lower left"),
    "bottom right": ("bottom right", "lower right"),
}

EXTREMES: dict[str, Ways] = {
    "left": ("leftmost", "far left"),
    "right": ("rightmost", "far right"),
    "top": ("topmost", "highest"),
    "bottom": ("lowest",),
    "large": ("largest", "biggest"),
    "small": ("smallest",),
}
ORDINALS: Ways = ("first", "second", "third")

RELATIONS: dict[str, Ways] = {
    "left": ("left of", "to the left of"),
    "right": ("right of", "to the right of"),
    "top": ("above", "higher than"),
    "bottom": ("below", "under"),
}
CLOSEST: Ways = ("closest to", "nearest to")

NEGATIONS: Ways = ("that is not", "which is not", "not")
