"""``--fail-under``: what a metric must reach."""

from __future__ import annotations

from typing import Any

from wsstool.errors import BelowThresholdError


def require_least(summary: dict[str, Any], what: str, value: float | None, least: float) -> None:
    """Raise BelowThresholdError, with the summary, unless ``value`` is at least ``least``.

    Args:
        summary: what the command answers all the same.
        what: the metric, and of what it is, for the message.
        value: its value; None or NaN: undefined, which is not enough.
        least: what it must be.

    Example:
        >>> require_least({}, "miou of argmax", 0.5, 0.5)
    """
    if value is None or not value >= least:
        got = "undefined" if value is None else f"{value:.4f}"
        raise BelowThresholdError(f"{what} is {got}, below {least:g}", summary)
