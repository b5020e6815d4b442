"""What the generated blocks of the pages are made from: run by ``make docs``, checked by ``make lint``."""

from __future__ import annotations

import os
import subprocess
import sys

WIDTH = "100"


def run(*words: str) -> str:
    """Standard output of ``wsstool words...``, in a fixed width and without the settings of this machine."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("WSSTOOL_", "TERMINAL_"))}
    environment |= {"COLUMNS": WIDTH, "TERMINAL_WIDTH": WIDTH, "NO_COLOR": "1"}
    command = [sys.executable, "-m", "wsstool", *words]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout.rstrip()


def commands_page() -> str:
    """One section a command: its ``--help`` as a person sees it."""
    from wsstool.cli.app import COMMANDS

    parts = [f"```text\n{run('--help')}\n```"]
    for name in COMMANDS:
        parts.append(f"## {name}\n\n```text\n{run(name, '--help')}\n```")
    return "\n\n".join(parts)


def exit_codes_table() -> str:
    """The exit codes with the comments that stand beside them in ``wsstool/errors.py``."""
    import inspect

    from wsstool import errors

    lines = ["| code | name | when |", "| ---: | --- | --- |"]
    for line in inspect.getsource(errors.ExitCode).splitlines():
        if "#:" in line:
            assignment, meaning = line.split("#:")
            name, value = assignment.split("=")
            lines.append(f"| {value.strip()} | {name.strip()} | {meaning.strip()} |")
    return "\n".join(lines)


def metrics_table() -> str:
    """What ``eval --fail-under`` can require, by what is scored."""
    from wsstool.stages.options.metrics import METRICS

    lines = ["| scored | metric | definition |", "| --- | --- | --- |"]
    for scored, metrics in METRICS.items():
        for name, definition in metrics.items():
            lines.append(f"| {scored} | `{name.replace('_', '-')}` | {definition} |")
            scored = ""
    return "\n".join(lines)


def methods_page() -> str:
    """Every registered method: name, paper, cost, first line of its docstring, own options."""
    import inspect

    from wsstool.family import setting_texts
    from wsstool.registry import REGISTRIES

    parts = []
    for registry in REGISTRIES:
        lines = [f"## {registry.family}", "", "| name | what | source | cost | own options (`--set`) |"]
        lines.append("| --- | --- | --- | --- | --- |")
        for name, entry in registry.entries().items():
            first = (inspect.getdoc(entry.load()) or "").splitlines()[0]
            own = {key: p.default for key, p in registry.own_options(name).items()}
            options = ", ".join(f"`{text}`" for text in setting_texts(own)) or "-"
            lines.append(f"| `{name}` | {first} | {entry.paper} | {entry.cost} | {options} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def recipes_page() -> str:
    """Every recipe as it is stored."""
    from wsstool.cli.recipe_file import recipe_names, recipe_text

    return "\n\n".join(f"## {name}\n\n```toml\n{recipe_text(name).rstrip()}\n```" for name in recipe_names())
