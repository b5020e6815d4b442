"""Typer parameters for declared options: one per field of an ``Options`` class."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import typer

from wsstool.options import Declaration, Options, signature


def options_class(command: Callable[..., Any]) -> type[Options] | None:
    """Return the ``Options`` class of a command ``f(options)``; None if it lists its options itself."""
    first = next(iter(inspect.signature(command).parameters), None)
    hint = get_type_hints(command).get(first) if first else None
    return hint if isinstance(hint, type) and issubclass(hint, Options) else None


def parameters(options: type[Options]) -> list[inspect.Parameter]:
    """Return one keyword parameter per option, annotated for typer; the command's own come first."""
    declared, given = options.declarations(), signature(options).parameters
    order = dict.fromkeys(n for owner in options.__mro__ for n in vars(owner).get("__annotations__", ()))
    return [
        given[name].replace(
            kind=inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[_type(given[name].annotation, declared[name]), _typer(declared[name])],
        )
        for name in order
        if name in declared
    ]


def _type(hint: Any, declared: Declaration) -> Any:
    """Return the type of an option; of a positional input of which several can be typed, a list."""
    is_several = declared.positional and str(declared.metavar).endswith("...")
    return list[str] | None if is_several else hint


def annotation(options: type[Options], name: str) -> Any:
    """Return the typer annotation of one declared option, for a command that lists its options itself."""
    return Annotated[get_type_hints(options)[name], _typer(options.declarations()[name])]


def _typer(declared: Declaration) -> Any:
    help = f"{declared.help} ({declared.range})" if declared.range else declared.help
    if declared.positional:
        return typer.Argument(help=help, metavar=declared.metavar, show_default=False)
    return typer.Option(
        *declared.spelling,
        help=help,
        rich_help_panel=declared.panel,
        metavar=declared.metavar,
        envvar=declared.env,
    )
