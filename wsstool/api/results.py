"""The result of a stage: a dictionary that prints as a table."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

_LONGEST = 100  # characters of a value


class Result(dict[str, Any]):
    """What a stage returned, by name; printed as a table, in notebooks as an HTML table."""

    def __repr__(self) -> str:
        width = max((len(name) for name in self), default=0)
        return "\n".join(f"{name:<{width}}  {_short(value)}" for name, value in self.items()) or "done"

    def _repr_html_(self) -> str:
        return _table([[escape(name), _cell(value)] for name, value in self.items()])


def _cell(value: Any) -> str:
    """A value as HTML; a list of dictionaries is a table of its own."""
    if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        names = [n for n in value[0] if not isinstance(value[0][n], Mapping | list | tuple)]
        head = [f"<b>{escape(str(name))}</b>" for name in names]
        return _table([head, *([escape(_short(row.get(name))) for name in names] for row in value)])
    return escape(_short(value))


def _table(rows: list[list[str]]) -> str:
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{body}</table>"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if value == 0 or abs(value) >= 0.001 else f"{value:.2g}"
    if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        return f"{len(value)} row{'s' if len(value) > 1 else ''}: {_line(_numbers(value[0]))}"
    return _line(value)


def _numbers(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in row.items() if isinstance(value, float))


def _line(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
