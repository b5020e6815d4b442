"""Options that do nothing are said to, when they were typed."""

import pytest
import typer
import typer.main

from wsstool.cli.app import app
from wsstool.cli.unused_options import _IDLE, sentences
from wsstool.registry import COTRAINERS
from wsstool.stages.options.cotrain import SELECTING

COMMANDS = typer.main.get_command(app).commands


@pytest.mark.parametrize("command", _IDLE)
def test_every_option_named_is_one_of_the_command(command):
    there = {p.name for p in COMMANDS[command].params}
    assert {name for idle in _IDLE[command] for name in idle.options} <= there


def test_the_methods_that_select_are_those_with_a_pool():
    assert set(SELECTING) == {m for m in COTRAINERS if "pool" in COTRAINERS.own_options(m)}


def test_only_what_was_typed_is_told():
    values = {"gate": None, "gate_threshold": 0.1, "gate_form": "forbid", "probabilities": True}
    assert sentences("predict", values, []) == []
    assert sentences("predict", values, ["gate_form"]) == ["--gate-form does nothing without --gate"]
    told = sentences("predict", values, ["gate_threshold", "gate_form"])
    assert told == ["--gate-threshold, --gate-form do nothing without --gate"]
    assert sentences("predict", values | {"gate": "cls.pth"}, ["gate_form"]) == []
    assert sentences("eval", {}, ["truth"]) == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            ["predict", "nowhere", "--weights", "x.pth", "--gate-threshold", ".2"],
            "--gate-threshold does nothing",
        ),
        (["cotrain", "x.h5", "--probe", "--epochs", "3"], "--epochs does nothing with --probe"),
        (["cotrain", "x.h5", "--penalty", "3"], "--penalty does nothing without --probe"),
        (
            ["pseudo-mask", "x.h5", "--rule", "multilayer", "--background-threshold", ".2", "-o", "y.h5"],
            "--background-threshold does nothing with --rule multilayer",
        ),
        (
            ["pseudo-mask", "x.h5", "--background-power", "2", "--background-threshold", ".2", "-o", "y.h5"],
            "--background-threshold does nothing with --background-power",
        ),
        (
            ["pseudo-mask", "x.h5", "--rule", "multilayer", "--background", "white", "-o", "y.h5"],
            None,
        ),
        (["cotrain", "x.h5", "--recipe", "tags", "--no-probe", "--epochs", "3"], None),
    ],
)
def test_the_command_warns(line, says, capfd):
    with pytest.raises(SystemExit):
        app(line)
    err = capfd.readouterr().err
    assert (says in err) if says else ("nothing" not in err)
