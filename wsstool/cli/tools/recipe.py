"""``wsstool recipe``."""

from __future__ import annotations

from typing import Annotated

import typer

from wsstool.cli.recipe_file import recipe_names, recipe_text


def recipe(
    name: Annotated[
        str | None, typer.Argument(help="recipe to print; default: list all", show_default=False)
    ] = None,
) -> None:
    """List the recipes, or print one as TOML to copy and edit.

    Examples:
        wsstool recipe
        wsstool recipe tags > mine.toml
        wsstool cam data/ --weights cls.pth --recipe mine.toml -o cams.h5
    """
    if name is None:
        for one in recipe_names():
            first = recipe_text(one).splitlines()[0].lstrip("# ")
            print(f"{one:<16} {first}")
    else:
        print(recipe_text(name), end="")
