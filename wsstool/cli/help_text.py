"""The layout of ``--help``: commands in groups, options in panels, pasteable examples."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable
from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup

from wsstool.stages.options.groups import INPUT, METHOD, MODEL, OUTPUT, RUNTIME, TRAINING

PANELS = (INPUT, METHOD, MODEL, TRAINING, RUNTIME, OUTPUT)
"""The panels of options, in the order of the help."""

_ARGUMENTS = "Arguments"
_COLUMN = 30  # longer names get a line of their own
_LONGEST_CHOICES = 40
_PLACEHOLDERS = {"str": "NAME", "int": "INT", "float": "FLOAT", "path": "PATH"}
_OPTIONS_OF_TYPER = {
    "help": "print this help and exit",
    "install_completion": "install completion for the current shell",
    "show_completion": "print the completion script for the current shell",
}


def summary(text: str | None) -> str:
    """Return the first line of a docstring."""
    return (inspect.cleandoc(text or "").splitlines() or [""])[0]


class PanelCommand(TyperCommand):
    """A command whose help lists the options panel by panel."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write the docstring of the command."""
        _write_text(formatter, self.help or "")

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words after the name of the command in the usage line."""
        arguments = [p for p in self.get_params(ctx) if isinstance(p, TyperArgument)]
        words = [_argument(p) if p.required else f"[{_argument(p)}]" for p in arguments]
        return [self.options_metavar or "", *words]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then one section per panel."""
        sections: dict[str, list[tuple[str, str]]] = {one: [] for one in (_ARGUMENTS, *PANELS)}
        parameters: list[Any] = sorted(self.get_params(ctx), key=lambda p: not (p.required or "-o" in p.opts))
        for parameter in parameters:
            is_argument = isinstance(parameter, TyperArgument)
            title = _ARGUMENTS if is_argument else parameter.rich_help_panel or RUNTIME
            sections[title] += _rows([parameter], ctx)
        _write(formatter, sections)


class GroupedCommands(TyperGroup):
    """A program whose help lists its commands group by group."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write the description of the program."""
        _write_text(formatter, self.help or "")

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the text after the options."""
        _write_text(formatter, self.epilog or "")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the groups of commands, then the options of the program."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            if not command.hidden:
                row = (name, command.get_short_help_str())
                group = getattr(command, "rich_help_panel", None) or "Commands"
                groups.setdefault(group, []).append(row)
        _write(formatter, groups)
        _write(formatter, {"Options": _rows(self.get_params(ctx), ctx)})


def _write_text(formatter: Any, text: str) -> None:
    """Write wrapped paragraphs; the ``Examples:`` block is not wrapped, so that it can be pasted."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        is_literal = paragraph.startswith("Examples:\n")
        lines = paragraph.splitlines() if is_literal else _wrapped(paragraph, formatter.width - 2)
        formatter.write("\n" + "".join(f"  {line}\n" for line in lines))


def _write(formatter: Any, sections: dict[str, list[tuple[str, str]]]) -> None:
    """Write the non-empty sections with aligned second columns."""
    widths = [len(left) for rows in sections.values() for left, _ in rows]
    width = max((w for w in widths if w <= _COLUMN), default=0)
    for title, rows in sections.items():
        if rows:
            formatter.write(f"\n{title}:\n")
        for left, right in rows:
            first, *more = _wrapped(right, formatter.width - width - 4)
            gap = " " * (width - len(left)) if len(left) <= width else "\n" + " " * (width + 2)
            formatter.write(f"  {left}{gap}  {first}\n")
            formatter.write("".join(f"{'':{width + 4}}{line}\n" for line in more))


def _wrapped(text: str, width: int) -> list[str]:
    """Wrap between words only: names of options and commands contain hyphens."""
    return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False) or [""]


def _rows(parameters: Iterable[Any], ctx: Any) -> list[tuple[str, str]]:
    """Return the spelling and the help of each parameter that is not hidden."""
    rows = []
    for parameter in parameters:
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        text = _OPTIONS_OF_TYPER.get(parameter.name, record[1])
        if isinstance(parameter, TyperArgument):
            rows.append((_argument(parameter), text))
            continue
        placeholder = "" if parameter.is_flag else _placeholder(parameter, ctx)
        if len(placeholder) > _LONGEST_CHOICES:
            help, space, extra = text.partition("  [")
            text = f"{help}; one of {placeholder.replace('|', ', ')}{space}{extra}"
            placeholder = "NAME"
        names = [", ".join(sorted(parameter.opts, key=len)), *parameter.secondary_opts]
        rows.append((f"{'/'.join(names)} {placeholder}".rstrip(), text))
    return rows


def _argument(parameter: TyperArgument) -> str:
    word = parameter.metavar or str(parameter.name).upper()
    return word if parameter.nargs == 1 else f"{word}..."


def _placeholder(parameter: Any, ctx: Any) -> str:
    """Return the placeholder for the value of an option: its choices, or a word such as FLOAT."""
    if parameter.metavar:
        return str(parameter.metavar)
    word = parameter.display_type(ctx).strip("<>").removeprefix("list[").removesuffix("]")
    word = word.removesuffix(" range")
    return _PLACEHOLDERS.get(word, word)
