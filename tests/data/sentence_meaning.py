"""Which objects a sentence of the drawn scenes names: an evaluator that shares nothing with the grammar.

It takes sentences apart from the text alone, with sharp limits in the middle of what the grammar leaves open.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

KIND = {"box": "crate", "sphere": "ball", "pony": "horse"}
ATTRIBUTE = {
    **{w: ("size", "small") for w in ("small", "little", "tiny")},
    **{w: ("size", "large") for w in ("large", "big", "huge")},
    **{w: ("colour", w) for w in ("red", "yellow", "green", "blue", "purple", "white")},
    **{w: ("texture", w) for w in ("plain", "striped", "spotted", "checkered")},
    "dotted": ("texture", "spotted"),
}
PATTERN = {"stripes": "striped", "dots": "spotted", "squares": "checkered"}
PLACE_WORD = {"upper": "top", "lower": "bottom", "center": "middle"}
PLACE_WORDS = {"left", "right", "top", "bottom", "middle", *PLACE_WORD}
TOWARDS = {"left": ("x", 1), "right": ("x", -1), "top": ("y", 1), "bottom": ("y", -1)}
EXTREME = {
    **{"leftmost": "left", "far left": "left", "rightmost": "right", "far right": "right"},
    **{"topmost": "top", "highest": "top", "lowest": "bottom"},
    **{"largest": "large", "biggest": "large", "smallest": "small"},
}
RELATION = {
    **{"to the left of": "left", "left of": "left", "to the right of": "right", "right of": "right"},
    **{"above": "top", "higher than": "top", "below": "bottom", "under": "bottom"},
    **{"closest to": "close", "nearest to": "close"},
}


@dataclass(frozen=True)
class Seen:
    """An object as the annotation file describes it; centre in shares of the image."""

    number: int
    kind: str
    colour: str
    texture: str
    size: str
    x: float
    y: float
    area: int


def objects_named(text: str, scene: list[Seen]) -> list[Seen]:
    """Return the objects that a sentence or phrase is true of."""
    text = text.removeprefix("the ")
    relations = "|".join(sorted(RELATION, key=len, reverse=True))
    if found := re.fullmatch(rf"(.+?) ({relations}) the (.+)", text):
        (reference,) = objects_named(found[3], scene)
        rest = [one for one in objects_named(found[1], scene) if one != reference]
        if RELATION[found[2]] == "close":
            return sorted(rest, key=lambda one: math.dist((one.x, one.y), (reference.x, reference.y)))[:1]
        axis, sign = TOWARDS[RELATION[found[2]]]
        return [one for one in rest if sign * getattr(one, axis) < sign * getattr(reference, axis)]
    if found := re.fullmatch(r"(first|second|third) (.+) from the (\w+)", text):
        rank = ("first", "second", "third").index(found[1])
        return ordered(objects_named(found[2], scene), found[3])[rank : rank + 1]
    if found := re.fullmatch(rf"({'|'.join(EXTREME)}) (.+)", text):
        return ordered(objects_named(found[2], scene), EXTREME[found[1]])[:1]
    if found := re.fullmatch(r"(.+) without (\w+)", text):
        return [one for one in objects_named(found[1], scene) if one.texture != PATTERN[found[2]]]
    if found := re.fullmatch(r"(.+?)(?: that is| which is)? neither (\w+) nor (\w+)", text):
        return [one for one in objects_named(found[1], scene) if one.colour not in found.group(2, 3)]
    if found := re.fullmatch(r"(.+?)(?: that is| which is)? not (.+)", text):
        denied = (
            objects_named(f"thing {found[2]}", scene) if " the " in found[2] else has_word(found[2], scene)
        )
        return [one for one in objects_named(found[1], scene) if one not in denied]
    if found := re.fullmatch(r"(.+?) (?:on|at|near|in) the (.+?)(?: corner| side)?", text):
        return at(found[2].split(), objects_named(found[1], scene))
    if found := re.fullmatch(r"(.+) with (\w+)", text):
        return [one for one in objects_named(found[1], scene) if one.texture == PATTERN[found[2]]]
    *words, head = text.split()
    places = [word for word in words if word in PLACE_WORDS]
    kept = at(places, scene) if places else scene
    for word in words:
        if word not in PLACE_WORDS:
            kept = has_word(word, kept)
    if head in ("one", "thing", "object"):
        return kept
    assert head in {"ball", "crate", "horse", "leaf", "star", *KIND}, text
    return [one for one in kept if one.kind == KIND.get(head, head)]


def has_word(word: str, scene: list[Seen]) -> list[Seen]:
    attribute, value = ATTRIBUTE[word]
    return [one for one in scene if getattr(one, attribute) == value]


def at(words: list[str], scene: list[Seen]) -> list[Seen]:
    for word in words:
        word = PLACE_WORD.get(word, word)
        if word == "middle":
            scene = [one for one in scene if math.dist((one.x, one.y), (0.5, 0.5)) < 0.23]
        else:
            axis, sign = TOWARDS[word]
            scene = [one for one in scene if sign * getattr(one, axis) < sign * 0.5]
    return scene


def ordered(scene: list[Seen], by: str) -> list[Seen]:
    if by in ("large", "small"):
        return sorted(scene, key=lambda one: one.area, reverse=by == "large")
    axis, sign = TOWARDS[by]
    return sorted(scene, key=lambda one: sign * getattr(one, axis))
