"""Options that do nothing are said to, when they were typed."""

from dataclasses import replace
from pathlib import Path

import pytest

from wsstool.cli.app import app
from wsstool.registry import COTRAINERS
from wsstool.stages.options.predict import PredictOptions
from wsstool.stages.options.trainers.cotrain import SELECTING


def test_the_methods_that_select_are_those_with_a_pool():
    assert set(SELECTING) == {m for m in COTRAINERS if "pool" in COTRAINERS.own_options(m)}


def test_only_what_was_typed_is_told():
    options = PredictOptions(data=Path("data"), weights=Path("seg.pth"), probabilities=True)
    assert options.warnings([]) == []
    assert options.warnings(["gate_form"]) == ["--gate-form does nothing without --gate"]
    told = options.warnings(["gate_threshold", "gate_form"])
    assert told == ["--gate-threshold, --gate-form do nothing without --gate"]
    assert replace(options, gate=Path("cls.pth")).warnings(["gate_form"]) == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            ["predict", "nowhere", "--weights", "x.pth", "--gate-threshold", ".2"],
            "--gate-threshold does nothing",
        ),
        (["cotrain", "x.h5", "--probe", "--epochs", "3"], "--epochs does nothing with --probe"),
        (["train-cls", "x", "--token-weight", "2"], "--token-weight does nothing without --token-head"),
        (
            ["train-cls", "x", "--token-head", "--teacher", "l.pth", "--no-token-gradient"],
            "--token-gradient does nothing with --teacher or --token-labels",
        ),
        (
            ["train-cls", "x", "--token-labels", "online", "--teacher", "l.pth"],
            "--teacher does nothing with --token-labels online",
        ),
        (["train-cls", "x", "--dense-growth"], "--dense-growth does nothing without --teacher"),
        (["train-cls", "x", "--recipe", "stl-student", "--teacher", "l.pth"], None),
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
