"""Sentences by grammar: each names one object of a scene and is clearly false of every other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from wsstool.data.sample.referring import lexicon
from wsstool.data.sample.referring.meaning import (
    CORNERS,
    LARGER,
    NEAR,
    SIDES,
    Item,
    Truth,
    at,
    beside,
    conjunction,
    coordinate,
    distance,
    named,
    negation,
    ranked,
)

_ATTRIBUTES = {"size": 0.3, "colour": 0.7, "texture": 0.25}
"""How often a noun phrase says each; people say colours first."""

_TRIES = 60


@dataclass(frozen=True)
class Phrase:
    """A text, and whether it is true of each object of the scene."""

    text: str
    truths: list[Truth]


def describe(
    generator: np.random.Generator, items: Sequence[Item], target: int, count: int
) -> tuple[str, ...]:
    """Return sentences that name one object, of different forms where possible.

    Args:
        generator: the only source of randomness.
        items: the objects of the scene.
        target: number of the object to name.
        count: sentences wanted; fewer are found for an object that is hard to tell from others.
    """
    scene = _Scene(generator, items, target)
    found: dict[str, None] = {}
    used: set[int] = set()
    weights = np.array([weight for _, weight in _FORMS])
    for _ in range(_TRIES):
        form = int(generator.choice(len(_FORMS), p=weights / weights.sum()))
        if form in used and generator.random() < 0.7:
            continue
        phrase = _FORMS[form][0](scene)
        if phrase is None or named(phrase.truths) != target:
            continue
        used.add(form)
        found[("the " if generator.random() < 0.6 else "") + phrase.text] = None
        if len(found) == count:
            break
    return tuple(found)


class _Scene:
    """The objects, the one to name, and random choices."""

    def __init__(self, generator: np.random.Generator, items: Sequence[Item], target: int) -> None:
        self.generator, self.items, self.target = generator, items, target
        self.item = items[target]

    def pick(self, ways: Sequence[str]) -> str:
        return ways[int(self.generator.integers(len(ways)))]

    def truths(self, test: Callable[[Item], Truth]) -> list[Truth]:
        return [test(item) for item in self.items]

    def noun(self, about: int, without: str = "") -> Phrase:
        """Return a noun phrase that is true of an object: kind and attributes, such as ``small red star``."""
        item = self.items[about]
        said = [a for a, often in _ATTRIBUTES.items() if a != without and self.generator.random() < often]
        names_kind = self.generator.random() < 0.75
        before, after = [], []
        for attribute in said:
            word = getattr(item, attribute)
            if word in lexicon.PATTERNS and self.generator.random() < 0.4:
                after = ["with", lexicon.PATTERNS[word]]
            else:
                before.append(self.adjective(word))
        head = self.pick(lexicon.KINDS[item.kind] if names_kind else lexicon.ANYTHING)
        alike = [*said, "kind"] if names_kind else said
        truths = self.truths(lambda one: all(getattr(one, a) == getattr(item, a) for a in alike))
        return Phrase(" ".join([*before, head, *after]), truths)

    def adjective(self, word: str) -> str:
        return self.pick({**lexicon.SIZES, **lexicon.TEXTURES}.get(word, (word,)))


def _plain(scene: _Scene) -> Phrase:
    return scene.noun(scene.target)


def _placed(scene: _Scene) -> Phrase | None:
    """``left star``, ``star in the upper left corner``."""
    places = [place for place in (*SIDES, "middle", *CORNERS) if at(scene.item, place)]
    if not places:
        return None
    place, noun = scene.pick(places), scene.noun(scene.target)
    truths = _both(noun.truths, scene.truths(lambda one: at(one, place)))
    if scene.generator.random() < 0.4:
        return Phrase(f"{scene.pick(lexicon.PLACES_BEFORE[place])} {noun.text}", truths)
    return Phrase(f"{noun.text} {scene.pick(lexicon.PLACES[place])}", truths)


def _extreme(scene: _Scene) -> Phrase:
    """``leftmost star``, ``largest star``."""
    what = scene.pick(tuple(lexicon.EXTREMES))
    noun = scene.noun(scene.target, without="size")
    if what in SIDES:
        keys, gap = [coordinate(one, what) for one in scene.items], NEAR
    else:
        sign = -1 if what == "large" else 1
        keys, gap = [sign * math.log(one.area) for one in scene.items], LARGER
    return Phrase(f"{scene.pick(lexicon.EXTREMES[what])} {noun.text}", ranked(noun.truths, keys, gap, 0))


def _ordinal(scene: _Scene) -> Phrase:
    """``second star from the left``."""
    side, noun = scene.pick(SIDES), scene.noun(scene.target)
    rank = int(scene.generator.integers(len(lexicon.ORDINALS)))
    keys = [coordinate(one, side) for one in scene.items]
    text = f"{lexicon.ORDINALS[rank]} {noun.text} from the {side}"
    return Phrase(text, ranked(noun.truths, keys, NEAR, rank))


def _reference(scene: _Scene) -> tuple[int, str] | None:
    """Return another object, and a noun phrase that is true of it alone."""
    others = [k for k in range(len(scene.items)) if k != scene.target]
    if not others:
        return None
    other = others[scene.generator.integers(len(others))]
    noun = scene.noun(other)
    return (other, noun.text) if named(noun.truths) == other else None


def _related(scene: _Scene) -> Phrase | None:
    """``star left of the red crate``."""
    reference = _reference(scene)
    if reference is None:
        return None
    other, text = reference
    side, noun = scene.pick(SIDES), scene.noun(scene.target)
    place = [k != other and beside(one, scene.items[other], side) for k, one in enumerate(scene.items)]
    relation = scene.pick(lexicon.RELATIONS[side])
    return Phrase(f"{noun.text} {relation} the {text}", _both(noun.truths, place))


def _closest(scene: _Scene) -> Phrase | None:
    """``star closest to the red crate``."""
    reference = _reference(scene)
    if reference is None:
        return None
    other, text = reference
    noun = scene.noun(scene.target)
    among = [k != other and truth for k, truth in enumerate(noun.truths)]
    keys = [distance(one, scene.items[other]) for one in scene.items]
    return Phrase(f"{noun.text} {scene.pick(lexicon.CLOSEST)} the {text}", ranked(among, keys, NEAR, 0))


def _negated(scene: _Scene) -> Phrase:
    """``star that is not red``, ``star without stripes``, ``star not on the left``."""
    what = scene.pick(("size", "colour", "texture", "place", "pattern", "neither"))
    if what == "place":
        place = scene.pick((*SIDES, "middle"))
        text = f"{scene.pick(lexicon.NEGATIONS)} {scene.pick(lexicon.PLACES[place])}"
        return _without(scene, "place", text, scene.truths(lambda one: at(one, place)))
    if what == "pattern":
        texture = scene.pick(tuple(lexicon.PATTERNS))
        has_it = scene.truths(lambda one: one.texture == texture)
        return _without(scene, "texture", f"without {lexicon.PATTERNS[texture]}", has_it)
    if what == "neither":
        colours = scene.generator.permutation(list(lexicon.COLOURS))[:2].tolist()
        verb = scene.pick(("that is neither", "which is neither", "neither"))
        is_one = scene.truths(lambda one: one.colour in colours)
        return _without(scene, "colour", f"{verb} {colours[0]} nor {colours[1]}", is_one)
    words = {"size": [*lexicon.SIZES], "colour": [*lexicon.COLOURS], "texture": [*lexicon.TEXTURES]}
    word = scene.pick(words[what])
    text = f"{scene.pick(lexicon.NEGATIONS)} {scene.adjective(word)}"
    return _without(scene, what, text, scene.truths(lambda one: getattr(one, what) == word))


def _without(scene: _Scene, attribute: str, text: str, truths: Sequence[Truth]) -> Phrase:
    """Return a noun phrase with a negation behind it; ``truths`` are those of what is negated."""
    noun = scene.noun(scene.target, without=attribute)
    return Phrase(f"{noun.text} {text}", _both(noun.truths, [negation(truth) for truth in truths]))


def _both(truths: Sequence[Truth], others: Sequence[Truth]) -> list[Truth]:
    return [conjunction(a, b) for a, b in zip(truths, others, strict=True)]


_FORMS: tuple[tuple[Callable[[_Scene], Phrase | None], float], ...] = (
    (_plain, 6.0),
    (_placed, 2.0),
    (_extreme, 1.2),
    (_ordinal, 0.8),
    (_related, 1.5),
    (_closest, 0.4),
    (_negated, 1.0),
)
"""The forms of sentences, and how often each is tried.

Attributes alone come first: a network that finds most objects by their place does not learn to see colours.
"""
