"""Training logs as small line charts: JSON lines in, inline SVG out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from html import escape
from pathlib import Path

from wsstool.errors import BadInputError, MissingInputError

Series = Mapping[str, tuple[list[float], list[float]]]

_WIDTH, _HEIGHT = 320, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 8, 22
_POINTS = 240


def read_log(path: Path) -> dict[str, tuple[list[float], list[float]]]:
    """Return the numbers of a training log by name.

    Args:
        path: JSON lines; ``step`` (or ``epoch``, or the line number) is the abscissa, and every other number
            is a point of the curve of its name. Nested objects give ``outer.inner``.

    Returns:
        name -> (abscissae, values); values that are not finite numbers are dropped.

    Raises:
        MissingInputError: no such file.
        BadInputError: a line is not a JSON object; an incomplete last line is ignored.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise MissingInputError(f"cannot read log '{path}': {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInputError(f"log '{path}' is not text") from error
    curves: dict[str, tuple[list[float], list[float]]] = {}
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines) - 1:
                break  # an interrupted run leaves an incomplete line
            raise BadInputError(f"log '{path}', line {number + 1}: not JSON") from error
        if not isinstance(entry, dict):
            raise BadInputError(f"log '{path}', line {number + 1}: not an object")
        at = next((entry[k] for k in ("step", "epoch") if _finite(entry.get(k))), number)
        for name, value in _numbers(entry):
            if name not in ("step", "epoch"):
                xs, ys = curves.setdefault(name, ([], []))
                xs.append(float(at))
                ys.append(float(value))
    return curves


def line_chart(series: Series, *, label: str = "", y_range: tuple[float, float] | None = None) -> str:
    """Draw an SVG line chart whose colours follow the page (CSS variables ``--series-1`` ...).

    Args:
        series: name -> (abscissae, values), at most four; long curves are averaged to 240 points.
        label: text for screen readers.
        y_range: values that the ordinate must include, so that charts can be compared.

    Returns:
        One ``<svg>`` element; an empty string without data.
    """
    drawn = {name: _thinned(*points) for name, points in series.items() if points[0]}
    if not drawn:
        return ""
    xs = [x for points in drawn.values() for x in points[0]]
    ys = [y for points in drawn.values() for y in points[1]] + list(y_range or ())
    x_ticks, y_ticks = _ticks(min(xs), max(xs), 4), _ticks(min(ys), max(ys), 4)
    x_low, x_high = min(xs), max(max(xs), min(xs) + 1e-9)
    y_low, y_high = min(y_ticks[0], min(ys)), max(y_ticks[-1], max(ys))
    y_high = y_high if y_high > y_low else y_low + 1

    def across(x: float) -> float:
        return _LEFT + (x - x_low) / (x_high - x_low) * (_WIDTH - _LEFT - _RIGHT)

    def down(y: float) -> float:
        return _TOP + (y_high - y) / (y_high - y_low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label, quote=True)}">']
    for y in y_ticks:
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{down(y):.1f}" y2="{down(y):.1f}"/>'
        )
        parts.append(f'<text x="{_LEFT - 6}" y="{down(y) + 3.5:.1f}" text-anchor="end">{short(y)}</text>')
    for x in x_ticks:
        anchor = "end" if across(x) > _WIDTH - 30 else "middle"
        parts.append(f'<text x="{across(x):.1f}" y="{_HEIGHT - 6}" text-anchor="{anchor}">{short(x)}</text>')
    for k, (name, (px, py)) in enumerate(drawn.items(), 1):
        path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in zip(px, py, strict=True))
        title = f"<title>{escape(name)}: last {short(py[-1])}</title>"
        colour, end = f"var(--series-{k})", f'cx="{across(px[-1]):.1f}" cy="{down(py[-1]):.1f}"'
        parts.append(f'<polyline points="{path}" style="stroke:{colour}">{title}</polyline>')
        parts.append(f'<circle {end} r="3" style="fill:{colour}">{title}</circle>')
    return "".join([*parts, "</svg>"])


def short(value: float) -> str:
    """Format a number in few characters.

    Example:
        >>> short(0.05), short(1200), short(3e-05)
        ('0.05', '1.2k', '3e-05')
    """
    if abs(value) >= 1000:
        return f"{value / 1000:.4g}k"
    return f"{value:.3g}"


def _numbers(entry: Mapping[str, object], prefix: str = "") -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for name, value in entry.items():
        if isinstance(value, Mapping):
            found += _numbers(value, f"{prefix}{name}.")
        elif _finite(value):
            found.append((prefix + name, value))  # type: ignore[arg-type]
    return found


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _thinned(xs: list[float], ys: list[float]) -> tuple[list[float], list[float]]:
    """Reduce to at most ``_POINTS`` points: means of equal stretches, so that noise does not fill a band."""
    step = math.ceil(len(xs) / _POINTS)
    if step == 1:
        return xs, ys
    starts = range(0, len(xs), step)
    return [_mean(xs[i : i + step]) for i in starts], [_mean(ys[i : i + step]) for i in starts]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _ticks(low: float, high: float, wanted: int) -> list[float]:
    """Return about ``wanted`` round numbers in [low, high]."""
    if high <= low:
        return [low]
    raw = (high - low) / wanted
    power = 10 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)] or [low]
