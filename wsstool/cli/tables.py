"""Results as text on stdout: JSON, name-value lines, aligned tables."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any


def _finite(value: Any) -> Any:
    """JSON has no NaN: null stands for a number that does not exist."""
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_json(value: Any) -> None:
    """One JSON object, UTF-8, stable key order as given."""
    print(json.dumps(_finite(value), indent=2, ensure_ascii=False, default=str))


def print_fields(fields: Mapping[str, Any]) -> None:
    """``name: value`` lines; lists below their name when they hold texts with blanks."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        if isinstance(value, list | tuple) and any(" " in str(one) for one in value):
            print(f"{name}:")
            for one in value:
                print(f"  {one}")
            continue
        if isinstance(value, list | tuple):
            value = ", ".join(map(str, value))
        elif isinstance(value, Mapping):
            value = ", ".join(f"{k}={v}" for k, v in value.items())
        print(f"{name:<{width}}  {'-' if value is None or value == '' else value}")


def print_table(rows: Sequence[Sequence[Any]], header: Sequence[str]) -> None:
    """Columns aligned, numbers to the right with four decimals."""
    text = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(header), *text]) for i in range(len(header))]
    right = [all(not isinstance(row[i], str) for row in rows) for i in range(len(header))]
    for line in [list(header), *text]:
        cells = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)]
        print("  ".join(cells).rstrip())


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
