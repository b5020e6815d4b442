"""Scores under corruption as charts: one per corruption, score against severity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wsstool.errors import UsageError
from wsstool.report.curves import line_chart
from wsstool.report.page import Curves
from wsstool.stages.robustness.tables import TITLES

MOST = 4
"""Series per chart."""


def robustness_curves(summaries: Mapping[str, dict[str, Any]]) -> list[Curves]:
    """Draw the scores of several networks, one section per metric.

    Args:
        summaries: name -> summary of ``robustness``.

    Returns:
        Severity 0 is the score on clean images. The charts of a section have the same range.

    Raises:
        UsageError: more than four networks with the same metric.
    """
    by_metric: dict[str, dict[str, dict[str, Any]]] = {}
    for name, summary in summaries.items():
        by_metric.setdefault(summary["metric"], {})[name] = summary
    return [_section(metric, own) for metric, own in by_metric.items()]


def robustness_fact(summary: dict[str, Any]) -> str:
    """Return clean score, robust score and retention as one line.

    >>> robustness_fact({"metric": "miou", "clean": 0.8, "robust": 0.6, "retention": 0.75, "images": 9})
    '9 images, mIoU 0.800 clean, 0.600 corrupted, 75.0 % retained'
    """
    metric, kept = TITLES[summary["metric"]], summary["retention"]
    clean, robust = (_text(summary[key]) for key in ("clean", "robust"))
    retained = "" if kept is None else f", {100 * kept:.1f} % retained"
    return f"{summary['images']} images, {metric} {clean} clean, {robust} corrupted{retained}"


def _section(metric: str, summaries: Mapping[str, dict[str, Any]]) -> Curves:
    if len(summaries) > MOST:
        raise UsageError(f"{len(summaries)} robustness score files; a chart shows at most {MOST}")
    names = dict.fromkeys(name for one in summaries.values() for name in one["corruptions"])
    drawn = {name: {who: _points(one, name) for who, one in summaries.items()} for name in names}
    values = [y for series in drawn.values() for _, ys in series.values() for y in ys]
    span = (min(values, default=0.0), max(values, default=1.0))
    return Curves(
        f"Scores under corruption: {TITLES[metric]}",
        [(name, line_chart(series, label=name, y_range=span)) for name, series in drawn.items()],
        f"{TITLES[metric]} against severity; severity 0: clean images.",
        list(summaries),
    )


def _points(summary: dict[str, Any], name: str) -> tuple[list[float], list[float]]:
    own = summary["corruptions"].get(name, {"severities": {}})["severities"]
    if not own:
        return [], []
    points = [(0.0, summary["clean"]), *((float(severity), value) for severity, value in own.items())]
    known = [(x, y) for x, y in points if y is not None]
    return [x for x, _ in known], [y for _, y in known]


def _text(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
