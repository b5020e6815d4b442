"""Schedules: values that can be worked out by hand."""

from itertools import pairwise

import pytest

from wsstool.errors import UsageError
from wsstool.training.schedules import SCHEDULES, rate_factor


@pytest.mark.parametrize(
    "schedule, step, factor",
    [
        ("poly", 0, 1.0),
        ("poly", 50, 0.5**0.9),
        ("cosine", 50, 0.5),
        ("cosine", 25, 0.5 + 0.5 * 0.5**0.5),
        ("step", 59, 1.0),
        ("step", 60, 0.1),
        ("step", 99, 0.01),
        ("constant", 99, 1.0),
    ],
)
def test_values_by_hand(schedule: str, step: int, factor: float) -> None:
    assert rate_factor(schedule, step, 100) == pytest.approx(factor)


def test_warm_up_rises_in_equal_steps() -> None:
    assert [rate_factor("constant", i, 10, warmup=4) for i in range(6)] == pytest.approx(
        [0.2, 0.4, 0.6, 0.8, 1, 1]
    )


def test_warm_up_as_published() -> None:
    """T / T_warm of the schedule's own rate: 0 at first, and whole from T_warm on."""
    found = [rate_factor("poly", i, 10, warmup=4, warmup_start=0.0) for i in range(6)]
    assert found == pytest.approx([i / 4 * (1 - i / 10) ** 0.9 for i in range(4)] + [0.6**0.9, 0.5**0.9])
    assert rate_factor("constant", 0, 10, warmup=4, warmup_start=0.2) == 0.2


def test_falls_by_epochs() -> None:
    """Epochs of 3 steps, a tenth after every 2: 0.1^(epoch // 2)."""
    found = [rate_factor("step", i, 15, fall_every=6) for i in (0, 5, 6, 11, 12)]
    assert found == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def test_ends_at_the_least_and_stays_there() -> None:
    """1e-6 of 2e-3 as published: lr_min + (lr - lr_min) (1 + cos(pi t / T)) / 2, then the cool-down."""
    least = 1e-6 / 2e-3
    found = [2e-3 * rate_factor("cosine", i, 4, least=least) for i in (0, 2, 4, 5)]
    assert found == pytest.approx([2e-3, 1e-6 + (2e-3 - 1e-6) / 2, 1e-6, 1e-6])
    assert rate_factor("cosine", 0, 4, 1, warmup_start=least, least=least) == pytest.approx(least)
    assert rate_factor("step", 9, 4, fall_every=2) == rate_factor("step", 4, 4, fall_every=2)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_never_rises_and_never_negative(schedule: str) -> None:
    factors = [rate_factor(schedule, i, 37) for i in range(40)]
    assert all(a >= b >= 0 for a, b in pairwise(factors))


def test_unknown_name() -> None:
    with pytest.raises(UsageError, match="poly"):
        rate_factor("nadir", 0, 1)
