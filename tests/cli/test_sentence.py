"""What the parser refuses is one sentence too, with the command in front."""

import pytest

from wsstool.cli.app import app
from wsstool.errors import UsageError
from wsstool.registry import ATTENTIONS, CAMS, REGISTRIES


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            ["cam", "data", "--method", "x"],
            "wsstool cam: invalid value for '--method': 'x' is not one of",
        ),
        (["cam"], "wsstool cam: missing argument 'data'; see wsstool cam --help"),
        (
            ["cam", "data", "--weihgts", "x"],
            "wsstool cam: no such option: --weihgts (Possible options: ",
        ),
        (["nadir"], "wsstool: no such command 'nadir'; see wsstool --help"),
        (["cam", "data", "--batch-size", "x"], "wsstool cam: invalid value for '--batch-size': it should be"),
        (["cotrain", "x", "--noise-rate"], "wsstool cotrain: option '--noise-rate' requires an argument"),
        (["eval", "x", "--workers", "-1"], "wsstool eval: "),
    ],
)
def test_one_line(line, says, capsys):
    with pytest.raises(SystemExit) as stop:
        app(line)
    out, err = capsys.readouterr()
    assert stop.value.code == 2 and out == ""
    assert err.startswith(says) and len(err.splitlines()) == 1


def test_no_word_at_all_is_answered_with_the_help(capsys):
    with pytest.raises(SystemExit) as stop:
        app([])
    assert stop.value.code == 2 and "From boxes to masks:" in "".join(capsys.readouterr())


@pytest.mark.parametrize("line", [["--version"], ["cam", "--help"], ["recipe", "tags"]])
def test_what_is_understood_ends_well(line, capsys):
    with pytest.raises(SystemExit) as stop:
        app(line)
    assert stop.value.code == 0 and capsys.readouterr().out


@pytest.mark.parametrize("family", REGISTRIES, ids=lambda family: family.family)
def test_an_unknown_method_is_called_what_it_is(family):
    with pytest.raises(UsageError) as caught:
        family.load("zz")
    start = str(caught.value).partition("; there are: ")[0]
    assert start.startswith("no ") and start.endswith(" 'zz'")
    assert f"{family.family} method" not in start
    known = {"refiners": "no refiner 'zz'", "nms": "no NMS method 'zz'", "box-losses": "no box loss 'zz'"}
    assert start == known.get(family.family, start)


@pytest.mark.parametrize(
    ("family", "name", "pair", "says"),
    [
        (ATTENTIONS, "progressive-dropout", "start_epoch=x", "'x' is not a whole number$"),
        (ATTENTIONS, "progressive-dropout", "floor=x", "'x' is not a number$"),
        (CAMS, "cam", "bias=x", "'x' is not yes or no$"),
    ],
)
def test_values_of_another_type(family, name, pair, says):
    with pytest.raises(UsageError, match=says):
        family.settings(name, [pair])
