"""``--fail-under``: a lower limit for a metric."""

from __future__ import annotations

from typing import Any, NamedTuple

from wsstool.errors import BelowThresholdError, UsageError
from wsstool.stages.options.metrics import METRICS, spelled
from wsstool.stages.scoring.scorer import Scorer


class Requirement(NamedTuple):
    """A metric and its required minimum."""

    metric: str
    least: float

    @classmethod
    def of(cls, text: str) -> Requirement:
        """Read ``[METRIC=]FRACTION``; without a metric it is ``miou``.

        Raises:
            UsageError: there is no such metric, or the number is no fraction.
        """
        metric, _, number = text.rpartition("=")
        metric = (metric or "miou").lower().replace("-", "_")
        known = dict.fromkeys(name for metrics in METRICS.values() for name in metrics)
        if metric not in known:
            raise UsageError(
                f"--fail-under {text}: there is no '{spelled(metric)}', but {', '.join(map(spelled, known))}"
            )
        try:
            least = float(number)
        except ValueError:
            least = -1
        if not 0 <= least <= 1:
            raise UsageError(f"--fail-under {text}: '{number}' is not a fraction from 0 to 1")
        return cls(metric, least)

    def of_scorer(self, scorer: Scorer[Any]) -> Requirement:
        """Return the requirement for one kind of prediction, where ``miou`` means its default metric.

        Raises:
            UsageError: the scorer has no such metric.
        """
        metric = next(iter(scorer.metrics)) if self.metric == "miou" else self.metric
        if metric not in scorer.metrics:
            names = ", ".join(map(spelled, scorer.metrics))
            raise UsageError(f"--fail-under {spelled(metric)}: of {scorer.name} there are {names}")
        return Requirement(metric, self.least)

    def check(self, scorer: Scorer[Any], summary: dict[str, Any]) -> None:
        """Check a summary.

        Raises:
            BelowThresholdError: a value is below ``least``, or undefined; its ``summary`` is the one given.
            UsageError: the metric was not measured.
        """
        for what, value in scorer.values(summary, self.metric).items():
            if value is None or not value >= self.least:
                got = "undefined" if value is None else f"{value:.4f}"
                of = f" of {what}" if what else ""
                raise BelowThresholdError(
                    f"{spelled(self.metric)}{of} is {got}, below {self.least:g}", summary
                )
