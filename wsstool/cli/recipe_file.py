"""Recipes: option defaults in TOML, one table per command; only options that ``--help`` shows."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from wsstool.errors import BadInputError, MissingInputError, UsageError


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes in the package."""
    folder = files("wsstool.recipes")
    return tuple(sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".toml")))


def recipe_text(name: str) -> str:
    """Return the TOML text of a recipe: a bundled one by name, or a file by path.

    Raises:
        MissingInputError: neither a recipe nor a file of that name.
    """
    if name in recipe_names():
        return (files("wsstool.recipes") / f"{name}.toml").read_text(encoding="utf-8")
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(recipe_names())
        raise MissingInputError(f"no recipe or file '{name}' (recipes: {known})") from error


def defaults_of(name: str, command: str, known: dict[str, str]) -> dict[str, Any]:
    """Return the option defaults that a recipe sets for one command.

    Args:
        name: recipe name or TOML file.
        command: the command, as typed.
        known: option name in kebab-case -> parameter name, for every option of the command.

    Raises:
        BadInputError: the file is not TOML, or has something else than values in the place of a table.
        UsageError: the recipe sets an option that the command does not have, or to something that no option
            takes.
    """
    try:
        tables = tomllib.loads(recipe_text(name))
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"recipe '{name}' is not TOML: {error}") from error
    table = tables.get(command, {})
    if not isinstance(table, dict):
        raise BadInputError(f"recipe '{name}' sets '{command}' to a value; write a table [{command}]")
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise UsageError(f"recipe '{name}' sets '{unknown[0]}', which '{command}' does not have")
    odd = [option for option, value in table.items() if not _is_value(value)]
    if odd:
        raise UsageError(f"recipe '{name}' sets '{odd[0]}' to something else than a text, a number or a list")
    return {known[option]: value for option, value in table.items()}


def _is_value(value: Any) -> bool:
    """Whether a value can be that of an option: a text, a number, true, false, or a list of those."""
    return all(isinstance(one, str | int | float) for one in (value if isinstance(value, list) else [value]))


def as_toml(command: str, values: dict[str, Any]) -> str:
    """Format the resolved options of a command as a TOML table that ``--recipe`` can read."""
    lines = [f"[{command}]"]
    for option, value in values.items():
        if value is None or value == []:
            continue
        if isinstance(value, (Path, tuple)):
            value = str(value) if isinstance(value, Path) else list(value)
        lines.append(f"{option} = {json.dumps(value, default=str)}")
    return "\n".join(lines) + "\n"
