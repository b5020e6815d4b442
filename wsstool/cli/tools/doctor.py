"""``wsstool doctor``."""

from __future__ import annotations

import typer

from wsstool.cli import options
from wsstool.cli.printed import print_line
from wsstool.cli.run import call
from wsstool.cli.tables import print_fields, print_json


def doctor(json: options.Json = False) -> None:
    """Check this environment; exit code 1 if it has a problem.

    Examples:
        wsstool doctor
        wsstool doctor --json > environment.json
    """
    found = call("program.doctor:doctor", {})
    if json:
        print_json(found)
    else:
        print_fields({name: found[name] for name in ("wsstool", "python", "platform")})
        print_fields({name: version or "missing" for name, version in found["packages"].items()})
        print()
        for one in found["checks"]:
            print_line(f"{one['state']:4}  {one['check']}: {one['text']}")
    if not found["ok"]:
        raise typer.Exit(1)
