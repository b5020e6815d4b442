"""Declare a command's option once: name, type, default, help, range, place in the key, when it does nothing.

A command's options are one frozen dataclass that inherits from ``Options``; options that several commands
share stand in a base class of their own. From the declaration follow the command line and its help, the check
of the value, the entry in the key and in rebuilt commands, the reference pages, and the warning where an
option has no effect.

    @dataclass(frozen=True, kw_only=True)
    class Optimisation(Options):
        optimizer: Literal["sgd", "adamw"] = option("sgd", "optimiser")
        momentum: float = option(
            0.9, "SGD momentum", at_least=0, below=1,
            unused=Unused(lambda o: o.optimizer != "sgd", "without --optimizer sgd"),
        )
"""

from __future__ import annotations

import functools
import inspect
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_type_hints

from wsstool.argument_types import as_type, choices_of, holds
from wsstool.atomic import check_no_input_is_written
from wsstool.errors import MissingInputError, UsageError
from wsstool.family import foreign_methods
from wsstool.registry import REGISTRIES
from wsstool.types import PACKAGES, SILENT, Params, RecordFiles

_LISTS = ("loss", "corruption", "refine")
"""Options that take methods as texts: several, or of their own grammar."""

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Unused:
    """A condition on all options of a command under which one of them does nothing."""

    when: Callable[[Any], bool]
    why: str  #: completes "--x does nothing ..."


@dataclass(frozen=True)
class Declaration:
    """What is said about an option beside its name, type and default; see ``option``."""

    help: str
    panel: str
    spelling: tuple[str, ...]
    positional: bool
    metavar: str | None
    env: str | None
    at_least: float | None
    above: float | None
    at_most: float | None
    below: float | None
    key: bool | Literal["changed"]
    unused: tuple[Unused, ...]
    exists: bool | Literal["named"] | None

    @property
    def range(self) -> str:
        """The range in words, or an empty string."""
        low = self.at_least if self.above is None else self.above
        high = self.at_most if self.below is None else self.below
        if low is not None and high is not None:
            left, right = "[" if self.above is None else "(", "]" if self.below is None else ")"
            return f"in {left}{low:g}, {high:g}{right}"
        if low is not None:
            return f"{'at least' if self.above is None else 'above'} {low:g}"
        return "" if high is None else f"{'at most' if self.below is None else 'below'} {high:g}"

    def contains(self, value: float) -> bool:
        """Whether a number lies in the range; NaN and infinity lie in none."""
        return (
            math.isfinite(value)
            and (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )


def option(
    default: Any,
    help: str,
    *,
    panel: str = "Method",
    spelling: str | tuple[str, ...] = (),
    positional: bool = False,
    metavar: str | None = None,
    env: str | None = None,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    key: bool | Literal["changed"] = True,
    unused: Unused | tuple[Unused, ...] = (),
    exists: bool | Literal["named"] | None = None,
) -> Any:
    """Declare an option as a dataclass field.

    Args:
        default: value if not given; ``...``: the option is required.
        help: for ``--help`` and the docs; the range is appended.
        panel: heading under which ``--help`` lists it.
        spelling: as typed, if it is not the field's name in kebab-case: ``--set``, or ``--flip/--no-flip``.
        positional: an argument without a name.
        metavar, env: placeholder in the help; environment variable that stands in for it.
        at_least, above, at_most, below: range of a number, or of each number of a list.
        key: whether the value makes another result. ``changed``: only if it differs from the default, for
            options that came when results without them were already stored.
        unused: when the option does nothing. It is then neither in the key nor without a warning if typed.
        exists: whether a value is a file or folder that must be there; default: a ``Path`` outside the panel
            ``Output`` is. False: a path that the stage looks for. ``named``: it may also be a name, without
            folder and file ending.
    """
    spellings = (spelling,) if isinstance(spelling, str) else spelling
    conditions = (unused,) if isinstance(unused, Unused) else unused
    declared = Declaration(
        help, panel, spellings, positional, metavar, env, at_least, above, at_most, below, key, conditions,
        exists,
    )  # fmt: skip
    return field(default=MISSING if default is ... else default, metadata={"declaration": declared})


def redeclared(owner: type[Options], name: str, default: Any, **changes: Any) -> Any:
    """Declare an inherited option with another default, help or condition."""
    if isinstance(one := changes.get("unused"), Unused):
        changes["unused"] = (one,)
    declared = replace(owner.declarations()[name], **changes)
    return field(default=MISSING if default is ... else default, metadata={"declaration": declared})


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a command; creating an instance checks every value, and converts it to its type.

    Raises:
        UsageError: a value of another type, or outside its range or choices.
    """

    def __post_init__(self) -> None:
        types = get_type_hints(type(self))
        for name, declared in self.declarations().items():
            choices = choices_of(types[name])
            shown = name if declared.positional else spelled(self, name)
            value = as_type(getattr(self, name), types[name], shown)
            object.__setattr__(self, name, value)
            for one in value if isinstance(value, list) else (value,):
                if choices and one is not None and one not in choices:
                    raise UsageError(f"{shown} {one}: choose from {', '.join(choices)}")
                is_number = isinstance(one, int | float) and not isinstance(one, bool)
                if is_number and not declared.contains(one):
                    raise UsageError(f"{shown} {one:g}: give a number {declared.range}".rstrip())

    @classmethod
    def declarations(cls) -> dict[str, Declaration]:
        """Every option by field name, in the order of declaration."""
        return {one.name: one.metadata["declaration"] for one in _fields(cls)}

    def check_paths(self) -> None:
        """Check that the files and folders to read are there, before anything slow is imported.

        A relative path may also lie in the data folder, and ``-`` stands for standard input.

        Raises:
            MissingInputError: one is not there.
            UsageError: one would be overwritten, see ``check_outputs``.
        """
        self.check_outputs()
        types, folders = get_type_hints(type(self)), self._folders()
        for name, declared in self.declarations().items():
            is_input = declared.panel != "Output" and holds(types[name], Path)
            must_exist = is_input if declared.exists is None else declared.exists
            if not must_exist or self.unused(name):
                continue
            value = getattr(self, name)
            for one in _each(value):
                if one is None or str(one) == "-" or (declared.exists == "named" and _is_name(str(one))):
                    continue
                if not _is_there(str(one), folders):
                    shown = "" if declared.positional else f"{spelled(self, name)}: "
                    raise MissingInputError(f"{shown}there is no file or folder '{one}'")

    def check_outputs(self) -> None:
        """Check that no file or folder is both read and written.

        Raises:
            UsageError: an output is one of the inputs, under whatever name.
        """
        types = get_type_hints(type(self))
        inputs: list[Any] = []
        outputs: dict[str, Any] = {}
        for name, declared in self.declarations().items():
            is_path = holds(types[name], Path) or declared.positional or declared.exists is not None
            value = getattr(self, name)
            if not is_path or value is None or self.unused(name):
                continue
            if declared.panel == "Output" and not declared.positional:
                outputs[spelled(self, name) if name != "output" else "-o"] = value
            else:
                inputs += _each(value)
        for shown, output in outputs.items():
            check_no_input_is_written(output, inputs, self._folders(), shown)

    def _folders(self) -> tuple[str, str]:
        """Return the folders in which a relative input may lie."""
        return "", str(getattr(self, "data", ""))

    def _method_names(self, values: Mapping[str, Any]) -> list[Any]:
        """The values, by the name that is typed, of the options that choose methods."""
        types = get_type_hints(type(self))
        choosing = [name for name in self.declarations() if choices_of(types[name]) or name in _LISTS]
        named = [values.get(spelled(self, name)[2:].replace("-", "_")) for name in choosing]
        values_of_options = [text.partition("=")[2] for text in values.get("set") or ()]
        return [*named, *values_of_options, *_parts_of_arch(values.get("arch") or "")]

    def unused(self, name: str) -> str | None:
        """Why an option does nothing beside the others, or None."""
        conditions = self.declarations()[name].unused
        return next((one.why for one in conditions if one.when(self)), None)

    def warnings(self, typed: Iterable[str]) -> list[str]:
        """One sentence per reason, for the options among ``typed`` that do nothing."""
        whys = {name: self.unused(name) for name in typed if name in self.declarations()}
        return idle_options(type(self), {name: why for name, why in whys.items() if why})

    def key_params(self, **resolved: Any) -> Params:
        """The options that make the result, by the name that is typed, for keys and rebuilt commands.

        An option without a value is None, and so is one that does nothing and was not resolved; both are part
        of the key.

        Args:
            resolved: values that the stage computed, such as an automatic crop size.
        """
        found, unused = {}, []
        for one in _fields(type(self)):
            declared: Declaration = one.metadata["declaration"]
            is_used = self.unused(one.name) is None
            value = resolved.pop(one.name, getattr(self, one.name) if is_used else None)
            typed = spelled(self, one.name)[2:].replace("-", "_")
            if not is_used and getattr(self, one.name) == one.default:
                unused.append(typed)
            counts = declared.key is True or (declared.key == "changed" and value not in (None, one.default))
            if counts and not declared.positional:
                found[typed] = value
        if resolved:
            raise TypeError(f"no such options: {', '.join(resolved)}")
        if methods := foreign_methods(self._method_names(found), REGISTRIES):
            found[PACKAGES] = methods
            unused.append(PACKAGES)
        return Params(found, unused)


def _parts_of_arch(arch: str) -> list[str]:
    """Return every name that a part of ``HEAD-BACKBONE`` or ``HEAD-PREFIX:NAME`` may have.

    >>> _parts_of_arch("my-head-net:small")
    ['my', 'my-head', 'my-head-net', 'head', 'head-net', 'net']
    """
    words = arch.partition(":")[0].split("-")
    n = len(words)
    return ["-".join(words[start:end]) for start in range(n) for end in range(start + 1, n + 1)]


def idle_options(options: type[Options], whys: Mapping[str, str]) -> list[str]:
    """One sentence per reason for options that do nothing: name -> why."""
    reasons: dict[str, list[str]] = {}
    for name, why in whys.items():
        reasons.setdefault(why, []).append(spelled(options, name))
    return [
        f"{', '.join(names)} {'does' if len(names) == 1 else 'do'} nothing {why}"
        for why, names in reasons.items()
    ]


def spelled(options: Options | type[Options], name: str) -> str:
    """The long spelling of an option, such as ``--batch-size``."""
    long = [s.split("/")[0] for s in options.declarations()[name].spelling if s.startswith("--")]
    return long[0] if long else "--" + name.replace("_", "-")


def takes(options: type[Options]) -> Callable[[Function], Function]:
    """Let a stage ``f(options, messages)`` also take keywords: ``cam("data", weights="cls.pth")``."""

    def decorate(function: Function) -> Function:
        positional = [n for n, declared in options.declarations().items() if declared.positional]

        @functools.wraps(function)
        def call(*given: Any, messages: Any = SILENT, **named: Any) -> Any:
            if given and isinstance(given[0], options):
                return function(*given, messages=messages, **named)
            if len(given) > len(positional):
                raise TypeError(f"{function.__name__} takes {len(positional)} positional arguments")
            made = options(**dict(zip(positional, given, strict=False)), **named)
            made.check_outputs()
            return function(made, messages=messages)

        call.__signature__ = signature(options)  # type: ignore[attr-defined]
        return call  # type: ignore[return-value]

    return decorate


def signature(options: type[Options]) -> inspect.Signature:
    """The signature of a stage with these options, for notebooks and the reference."""
    made, types = [], get_type_hints(options)
    for one in sorted(_fields(options), key=lambda f: not f.metadata["declaration"].positional):
        is_positional = one.metadata["declaration"].positional
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD if is_positional else inspect.Parameter.KEYWORD_ONLY
        default = inspect.Parameter.empty if one.default is MISSING else one.default
        made.append(inspect.Parameter(one.name, kind, default=default, annotation=types[one.name]))
    return inspect.Signature(made)


def _each(value: Any) -> Sequence[Any]:
    """Return the values of an option that may be a list, or several files."""
    return value.paths if isinstance(value, RecordFiles) else value if isinstance(value, list) else [value]


def _is_name(text: str) -> bool:
    """Whether a text is a name such as ``imagenet``, ``regnet-y-1.6gf`` or ``timm:NAME``, and no file."""
    return re.fullmatch(r"[\w-]+(\.\d\w*)?|timm:[\w.-]+", text) is not None


def _is_there(path: str, folders: Iterable[str]) -> bool:
    """Whether a path exists in one of some folders, as far as their permissions tell."""
    for folder in folders:
        try:
            os.stat(os.path.join(folder, path))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            pass  # whoever opens it says what is wrong
        return True
    return False


def _fields(options: type[Options]) -> list[Field[Any]]:
    return [one for one in fields(options) if "declaration" in one.metadata]
