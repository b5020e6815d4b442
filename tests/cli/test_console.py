"""Progress in logs: one line per minute, none in short runs or when quiet."""

import pytest

from wsstool.cli import console
from wsstool.cli.console import ConsoleMessages
from wsstool.cli.tables import print_fields


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1000.0

    monkeypatch.setattr(console.time, "monotonic", lambda: Clock.now)
    return Clock


def run(clock, messages, *, total, seconds):
    with messages.track(total, "class maps") as advance:
        for _ in range(total):
            clock.now += seconds
            advance()


def test_a_line_per_minute(clock, capsys):
    run(clock, ConsoleMessages("cam"), total=10, seconds=20)
    assert capsys.readouterr().err.splitlines() == [
        "wsstool cam: class maps: 3 of 10, about 2 min left",
        "wsstool cam: class maps: 6 of 10, about 1 min left",
        "wsstool cam: class maps: 9 of 10, about 20 s left",
    ]


def test_steps_of_more_than_a_minute_give_one_line_each(clock, capsys):
    run(clock, ConsoleMessages("cam"), total=3, seconds=3600)
    assert capsys.readouterr().err.splitlines() == [
        "wsstool cam: class maps: 1 of 3, about 120 min left",
        "wsstool cam: class maps: 2 of 3, about 60 min left",
    ]


@pytest.mark.parametrize(("quiet", "seconds"), [(True, 100), (False, 1)])
def test_nothing_is_printed_when_quiet_or_quick(clock, capsys, quiet, seconds):
    run(clock, ConsoleMessages("cam", quiet=quiet), total=20, seconds=seconds)
    assert capsys.readouterr().err == ""


def test_entries_of_a_list_are_fields_too(capsys):
    print_fields({"inputs": [{"role": "data", "path": "a b"}, {"role": "weights", "path": None}]})
    assert capsys.readouterr().out.splitlines() == [
        "inputs:",
        "  role=data, path=a b",
        "  role=weights, path=None",
    ]
