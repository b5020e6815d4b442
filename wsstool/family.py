"""A family of methods: name -> function, imported on first use, with options parsed from text."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from wsstool.argument_types import as_type, keyword_options
from wsstool.errors import ArgumentError, UsageError


@dataclass(frozen=True)
class Entry:
    """One method: import path, publication and cost."""

    target: str  #: "package.module:function"
    paper: str = ""  #: author, venue and year
    cost: str = ""  #: in the unit of the family, for the methods table
    presets: str = ""  #: "package.module:dict": name -> values of options, for the option ``preset``
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """option -> (another option, *values): the option has an effect only beside these values of the other,
    ``true`` or ``false`` of a switch."""
    reads: str = ""  #: further input, for which a command needs an option of its own

    def load(self) -> Callable[..., Any]:
        return _named(self.target)


@cache
def _installed() -> Any:
    """Return the entry points of all packages; reading their files takes milliseconds."""
    return entry_points()


def origin(point: EntryPoint) -> str:
    """Return the distribution of an entry point and its version, such as ``my-method 0.3``."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.module


def source_hash(point: EntryPoint) -> str:
    """Return the hash of the Python files of an entry point's package, 16 hex digits; '' without any."""
    spec = find_spec(point.module.partition(".")[0])
    if spec is None or not spec.origin:
        return ""
    files = [Path(spec.origin)]
    if spec.submodule_search_locations:
        files = sorted(path for root in spec.submodule_search_locations for path in Path(root).rglob("*.py"))
    digest = hashlib.blake2b(digest_size=8)
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _named(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


class Registry:
    """The methods of one family, by kebab-case name.

    Args:
        family: name of the family, and of the entry-point group ``wsstool.FAMILY``.
        noun: one of its methods, in messages.
        entries: the built-in methods.
    """

    def __init__(self, family: str, noun: str, entries: dict[str, Entry]) -> None:
        self.family, self.noun = family, noun
        self._entries = entries

    def entries(self) -> dict[str, Entry]:
        """Return all methods by name: the built-in ones first, then those of other packages."""
        found = dict(self._entries)
        for name, point in self.points().items():
            found.setdefault(name, Entry(point.value, f"from {origin(point)}"))
        return found

    def points(self) -> dict[str, EntryPoint]:
        """Return the entry points of other packages by name; a built-in method keeps its name."""
        points = sorted(_installed().select(group=f"wsstool.{self.family}"), key=lambda p: p.name)
        return {point.name: point for point in points if point.name not in self._entries}

    def names(self) -> tuple[str, ...]:
        return tuple(self.entries())

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def load(self, name: str) -> Callable[..., Any]:
        """Import and return the function registered as ``name``.

        Raises:
            UsageError: no method of that name; the message lists the available ones.
        """
        if name in self._entries:  # scanning the entry points takes milliseconds
            return self._entries[name].load()
        entries = self.entries()
        if name not in entries:
            raise UsageError(f"no {self.noun} '{name}'; there are: {', '.join(entries)}")
        return entries[name].load()

    def own_options(self, name: str) -> dict[str, inspect.Parameter]:
        """Return the options that ``--set`` accepts: keyword-only parameters, and ``preset``.

        The methods of wsstool itself are not imported for that, unless their source leaves it open.
        """
        entry = self._entries.get(name)
        own = {**found} if entry and (found := keyword_options(entry.target)) is not None else None
        if own is None:
            parameters = inspect.signature(self.load(name)).parameters
            own = {k: p for k, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
        if entry and entry.presets:  # methods of other packages have none
            own["preset"] = inspect.Parameter(
                "preset", inspect.Parameter.KEYWORD_ONLY, default="", annotation="str"
            )
        return own

    def _presets(self, name: str) -> dict[str, dict[str, Any]]:
        entry = self._entries.get(name)  # methods of other packages have no presets
        return _named(entry.presets) if entry and entry.presets else {}

    def takes(self, name: str, parameter: str) -> bool:
        """Return whether a method has a parameter beyond the contract of its family."""
        return parameter in inspect.signature(self.load(name)).parameters

    def settings(self, name: str, pairs: Iterable[str]) -> dict[str, Any]:
        """Turn ``NAME=VALUE`` texts into typed keyword arguments of a method.

        A ``preset`` expands to its values; where two texts set the same option, the later one wins.

        Raises:
            UsageError: no ``=`` in a text, an unknown option, a value of the wrong type.
        """
        own = self.own_options(name)
        found: dict[str, Any] = {}
        for pair in pairs:
            key, equals, text = pair.partition("=")
            key = key.strip().replace("-", "_")
            if not equals:
                raise UsageError(f"--set {pair}: write NAME=VALUE")
            if key not in own:
                there = ", ".join(own) or "none"
                raise UsageError(f"--set {pair}: '{name}' has no option '{key}'; it has: {there}")
            if key == "preset" and (presets := self._presets(name)):
                if text.strip() not in presets:
                    raise UsageError(f"--set {pair}: '{name}' has the presets {', '.join(presets)}")
                found |= presets[text.strip()]
            else:
                found[key] = _typed(pair, text.strip(), own[key])
        return found

    def keywords(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Check the options of a method that were passed as Python values; ``settings`` reads texts.

        Raises:
            ArgumentError: an unknown option, or a value of the wrong type.
        """
        own = self.own_options(name)
        for key in values:
            if key not in own:
                raise ArgumentError(f"'{name}' has no option '{key}'; it has: {', '.join(own) or 'none'}")
        return {key: as_type(value, _type(own[key]), key) for key, value in values.items()}

    def idle(self, name: str, settings: Mapping[str, Any]) -> list[str]:
        """Return one sentence for each of the ``settings`` that has no effect with the others."""
        entry, found = self._entries.get(name), []
        own = self.own_options(name)
        for option, (other, *values) in entry.only.items() if entry else ():
            if option in settings and _switched(settings.get(other, own[other].default)) not in values:
                found.append(f"--set {option} does nothing without {other}={' or '.join(values)}")
        return found


def _switched(value: Any) -> Any:
    """Return the value of an option as ``Entry.only`` names it: a switch in lower case."""
    return str(value).lower() if isinstance(value, bool) else value


def foreign_methods(values: Iterable[Any], families: Iterable[Registry]) -> list[str]:
    """Return the methods of other packages among the values of options, as they enter a key.

    Args:
        values: names, ``NAME=...`` texts, lists of them, and anything else.
        families: the families that these may be from.

    Returns:
        Sorted texts such as ``my-method 0.3, wsstool.refiners median, 1f0c...``: distribution and version,
        group and name, hash of the source.
    """
    flat = [one for value in values for one in (value if isinstance(value, list | tuple) else (value,))]
    names = {one.partition("=")[0] for one in flat if isinstance(one, str)}
    return sorted(
        f"{origin(point)}, {point.group} {name}, {source_hash(point)}"
        for family in families
        for name, point in family.points().items()
        if name in names
    )


def setting_texts(own: Mapping[str, Any]) -> list[str]:
    """Write the options of a method as the ``NAME=VALUE`` texts that ``Registry.settings`` reads.

    >>> setting_texts({"scales": (50.0, 0.5), "steps": 3})
    ['scales=50,0.5', 'steps=3']
    """
    return [f"{name}={option_text(value)}" for name, value in own.items()]


def option_text(value: Any) -> str:
    """Write the value of an option as a user types it; a tuple with commas."""
    if isinstance(value, tuple):
        return ",".join(str(part).removesuffix(".0") for part in value)
    return str(value)


def _type(parameter: inspect.Parameter) -> Any:
    """The type of an option: that of its default, for tuples that of the annotation."""
    element = TUPLES.get(str(parameter.annotation))
    return type(parameter.default) if element is None else tuple[element, ...]  # type: ignore[valid-type]


def _typed(pair: str, text: str, parameter: inspect.Parameter) -> Any:
    """``text`` as the type of an option: that of its default, for tuples that of the annotation."""
    kind, element = type(parameter.default), TUPLES.get(str(parameter.annotation))
    try:
        if element is not None:
            return tuple(element(part.strip()) for part in text.split(",")) if text else ()
        return _READERS.get(kind, str)(text)
    except (ValueError, KeyError) as error:
        words = _KINDS[kind] if element is None else f"{_SEVERAL[element]} separated by commas"
        raise UsageError(f"--set {pair}: '{text}' is not {words}") from error


TUPLES: dict[str, type] = {f"tuple[{one.__name__}, ...]": one for one in (int, float, str)}
"""The annotations of options that take several values -> the type of one value."""

_SWITCHES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_READERS: dict[type, Callable[[str], Any]] = {bool: lambda s: _SWITCHES[s.lower()], int: int, float: float}
_KINDS = {bool: "yes or no", int: "a whole number", float: "a number"}
_SEVERAL = {int: "whole numbers", float: "numbers"}
