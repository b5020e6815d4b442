"""Check arguments of Python calls by their annotations, and convert what is meant: a string for a path.

Typer has converted what was typed on the command line; in Python anything can be passed. The options of a
method are read from its source, without the import that it takes.
"""

from __future__ import annotations

import ast
import functools
import inspect
import os
import reprlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from wsstool.errors import ArgumentError

Function = TypeVar("Function", bound=Callable[..., Any])

_WORDS = {bool: "True or False", int: "a whole number", float: "a number", str: "a string", Path: "a path"}
_SEVERAL = (list, Sequence, tuple)
_TEXTUAL = (str, os.PathLike, int, float)
_ROOT = Path(__file__).resolve().parents[1]


def as_type(value: Any, hint: Any, name: str) -> Any:
    """Return a value as the type of its annotation.

    Numpy scalars become Python numbers, whole numbers floats, numbers and paths strings, and strings paths. A
    single value stands for a list of one, and ``{"a": 1}`` for the list of strings ``["a=1"]``.

    Args:
        value: what was passed.
        hint: a resolved annotation; ``Any`` and types that are not known here accept everything.
        name: of the parameter, for the message.

    Raises:
        ArgumentError: a value of another type.

    Example:
        >>> as_type("a.png", Path | None, "images"), as_type(1, list[float] | None, "scale")
        (PosixPath('a.png'), [1.0])
        >>> as_type(1.5, int, "epochs")
        Traceback (most recent call last):
        wsstool.errors.ArgumentError: epochs 1.5: give a whole number
    """
    try:
        return _converted(value, hint)
    except TypeError:
        shown = " ".join(reprlib.repr(value).split())
        raise ArgumentError(f"{name} {shown}: give {_words(hint)}") from None


def checked(function: Function) -> Function:
    """Check the arguments of a public function; its ValueErrors become ArgumentErrors."""
    signature = inspect.signature(function)
    hints = functools.cache(lambda: get_type_hints(function))  # names of the module are complete by then

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        given = bound(signature.bind, args, kwargs)
        for key in given.arguments:
            if signature.parameters[key].kind is not inspect.Parameter.VAR_KEYWORD:
                given.arguments[key] = as_type(given.arguments[key], hints().get(key, Any), key)
        try:
            return function(*given.args, **given.kwargs)
        except ArgumentError:
            raise
        except ValueError as error:
            raise ArgumentError(str(error)) from error

    return call  # type: ignore[return-value]


def bound(
    bind: Callable[..., inspect.BoundArguments], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> inspect.BoundArguments:
    """Bind the arguments of a call.

    Args:
        bind: a method of the function's signature.
        args, kwargs: the arguments.

    Raises:
        ArgumentError: a missing or unknown argument, or too many.
    """
    try:
        return bind(*args, **kwargs)
    except TypeError as error:
        raise ArgumentError(str(error)) from None


def choices_of(hint: Any) -> tuple[str, ...]:
    """Return the values of a ``Literal`` in a type, such as ``list[Literal["a", "b"]] | None``; else none."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(choice for part in get_args(hint) for choice in choices_of(part))


def holds(hint: Any, kind: type) -> bool:
    """Return whether a type, such as ``list[Path] | None``, has values of this kind."""
    return hint is kind or any(holds(part, kind) for part in get_args(hint))


def _converted(value: Any, hint: Any) -> Any:
    origin, parts = get_origin(hint), get_args(hint)
    if hint in (Any, object):
        return value
    if origin in (Union, UnionType):
        return _of_either(value, parts)
    if origin in _SEVERAL:
        kind = tuple if origin is tuple else list
        return kind(_converted(one, parts[0]) for one in _items(value))
    if hint in _WORDS and getattr(value, "ndim", None) == 0:
        value = value.item()
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is str and isinstance(value, _TEXTUAL) and not isinstance(value, bool):
        return str(value)
    if hint is Path and isinstance(value, str | os.PathLike):
        return Path(value)
    if origin is os.PathLike:
        origin, hint = None, (str, os.PathLike)
    if origin is Literal:
        hint = str  # which strings is a matter of the value, not of the type
    is_switch_as_number = isinstance(value, bool) and hint is int
    if isinstance(hint, type | tuple) and (is_switch_as_number or not isinstance(value, hint)):
        raise TypeError
    return value


def _of_either(value: Any, parts: Sequence[Any]) -> Any:
    """The value as the first of several types that takes it; as a string last, which numbers become too."""
    if isinstance(value, str) and str in parts:
        return value
    is_path = Path in parts or any(get_origin(one) is os.PathLike for one in parts)
    for one in sorted((one for one in parts if not (one is str and is_path)), key=lambda one: one is str):
        try:
            return _converted(value, one)
        except TypeError:
            continue
    raise TypeError


def _items(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [f"{key}={one}" for key, one in value.items()]
    is_single = isinstance(value, str | bytes | os.PathLike) or not hasattr(value, "__iter__")
    if is_single or getattr(value, "ndim", None) == 0:
        return [value]
    return list(value)


def _words(hint: Any) -> str:
    """What to give, in words."""
    several = ", or several" if any(get_origin(one) in _SEVERAL for one in (hint, *get_args(hint))) else ""
    return " or ".join(dict.fromkeys(_alternatives(hint))) + several


def _alternatives(hint: Any) -> list[str]:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return [f"one of {', '.join(parts)}"]
    if origin is os.PathLike:
        return [_WORDS[Path]]
    if origin in (Union, UnionType, *_SEVERAL):
        return [words for one in parts if one not in (NoneType, ...) for words in _alternatives(one)]
    return [_WORDS.get(hint) or f"a {getattr(hint, '__name__', hint)}"]


@functools.cache
def keyword_options(target: str) -> dict[str, inspect.Parameter] | None:
    """Return the keyword-only parameters of ``package.module:function``, as ``inspect.signature`` has them.

    Returns:
        None where only an import tells: a module of another package, a function that is not written as a
        plain ``def`` at the top of its module, or a default that is no literal.

    Example:
        >>> keyword_options("wsstool.cams.scorecam:scorecam")["top_channels"]
        <Parameter "top_channels: 'int' = 0">
    """
    module, _, name = target.partition(":")
    place = _ROOT.joinpath(*module.split("."))
    paths = [path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()]
    if not module.startswith("wsstool.") or not paths:
        return None
    tree = ast.parse(paths[0].read_text(encoding="utf-8"))
    found = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == name]
    if len(found) != 1 or found[0].decorator_list:
        return None
    arguments, options = found[0].args, {}
    for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        try:
            value = inspect.Parameter.empty if default is None else ast.literal_eval(default)
        except ValueError:
            return None
        annotation = ast.unparse(one.annotation) if one.annotation else inspect.Parameter.empty
        kind = inspect.Parameter.KEYWORD_ONLY
        options[one.arg] = inspect.Parameter(one.arg, kind, default=value, annotation=annotation)
    return options
