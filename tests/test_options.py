"""Options that are declared once: the range check, the key, the command line, the warning."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
import typer
from typer.testing import CliRunner

from wsstool import store
from wsstool.cli.run import as_command
from wsstool.errors import UsageError
from wsstool.options import Options, Unused, option, redeclared, signature, takes
from wsstool.stages.options.cam import CamOptions
from wsstool.store.command_line import command_line
from wsstool.types import SILENT

runner = CliRunner()
DESCENT = Unused(lambda o: o.exact, "with --exact, which takes no steps")


@dataclass(frozen=True, kw_only=True)
class Fit(Options):
    """A small command's options."""

    data: Path = option(..., "data folder", positional=True)
    solver: Literal["sgd", "newton"] = option("sgd", "solver")
    exact: bool = option(False, "a closed form", spelling="--exact/--no-exact", key="changed")
    lr: float = option(0.1, "learning rate", above=0, at_most=1, unused=DESCENT)
    momentum: float = option(
        0.9,
        "momentum",
        at_least=0,
        below=1,
        unused=(DESCENT, Unused(lambda o: o.solver != "sgd", "without --solver sgd")),
    )
    scale: list[float] | None = option(None, "image scale; repeatable", above=0)
    settings: list[str] | None = option(None, "option of the method", spelling="--set")
    workers: int = option(2, "processes", at_least=0, key=False)


class TestRanges:
    @pytest.mark.parametrize(
        ("bounds", "words"),
        [
            ({}, ""),
            ({"at_least": 0}, "at least 0"),
            ({"above": 0.5}, "above 0.5"),
            ({"at_most": 8}, "at most 8"),
            ({"below": 1}, "below 1"),
            ({"at_least": 0, "below": 1}, "in [0, 1)"),
            ({"above": 0, "at_most": 8}, "in (0, 8]"),
        ],
    )
    def test_in_words(self, bounds, words):
        @dataclass(frozen=True, kw_only=True)
        class One(Options):
            number: float = option(0.7, "number", **bounds)

        assert One.declarations()["number"].range == words

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"lr": 0}, r"^--lr 0: give a number in \(0, 1\]$"),
            ({"lr": 1.5}, "^--lr 1.5: "),
            ({"lr": math.nan}, "^--lr nan: "),
            ({"scale": [1.0, math.inf]}, "^--scale inf: give a number above 0$"),
            ({"scale": (1.0, -1.0)}, "^--scale -1: "),
            ({"momentum": 1}, "^--momentum 1: "),
            ({"workers": -1}, "^--workers -1: give a number at least 0$"),
            ({"solver": "adam"}, "^--solver adam: choose from sgd, newton$"),
            ({"solver": 1}, "^--solver 1: give one of sgd, newton$"),
            ({"workers": 1.5}, "^--workers 1.5: give a whole number$"),
            ({"workers": True}, "^--workers True: give a whole number$"),
            ({"exact": "no"}, "^--exact 'no': give True or False$"),
            ({"scale": ["a"]}, r"^--scale \['a'\]: give a number, or several$"),
            ({"data": None}, "^data None: give a path$"),
        ],
    )
    def test_a_value_outside_is_refused(self, given, message):
        with pytest.raises(UsageError, match=message):
            Fit(**{"data": Path("x"), **given})

    @pytest.mark.parametrize("given", [{"lr": 1}, {"momentum": 0}, {"scale": [0.1]}, {"exact": True}])
    def test_a_value_inside_is_taken(self, given):
        assert vars(Fit(data=Path("x"), **given)).items() >= given.items()


class TestKeys:
    def test_hold_what_makes_the_result_by_the_name_that_is_typed(self):
        assert Fit(data=Path("x"), settings=["a=1"]).key_params() == {
            "solver": "sgd",
            "lr": 0.1,
            "momentum": 0.9,
            "scale": None,
            "set": ["a=1"],
        }

    def test_hold_nothing_of_what_does_nothing(self):
        assert Fit(data=Path("x"), exact=True, lr=0.5).key_params() == {
            **{"solver": "sgd", "exact": True},
            **dict.fromkeys(("lr", "momentum", "scale", "set")),
        }
        assert Fit(data=Path("x"), solver="newton").key_params()["momentum"] is None

    def test_hold_resolved_values(self):
        options = Fit(data=Path("x"), scale=[2.0])
        assert options.key_params(scale=[1.0])["scale"] == [1.0]
        assert options.key_params(scale=None)["scale"] is None
        with pytest.raises(TypeError, match="no such options: size"):
            options.key_params(size=3)


class TestWarnings:
    def test_one_sentence_per_reason_for_what_was_typed(self):
        options = Fit(data=Path("x"), exact=True, solver="newton")
        assert options.warnings(["lr", "momentum", "solver"]) == [
            "--lr, --momentum do nothing with --exact, which takes no steps"
        ]
        assert options.warnings(["solver", "recipe"]) == []
        assert Fit(data=Path("x"), solver="newton").warnings(["momentum"]) == [
            "--momentum does nothing without --solver sgd"
        ]


class TestRedeclared:
    def test_changes_what_is_named_and_keeps_the_rest(self):
        @dataclass(frozen=True, kw_only=True)
        class Slow(Fit):
            lr: float = redeclared(Fit, "lr", 0.01, help="slow learning rate")

        assert Slow(data=Path("x")).lr == 0.01 and Fit(data=Path("x")).lr == 0.1
        assert Slow.declarations()["lr"].help == "slow learning rate"
        assert Fit.declarations()["lr"].help == "learning rate"
        assert list(Slow.declarations()) == list(Fit.declarations())
        with pytest.raises(UsageError, match="--lr 2"):
            Slow(data=Path("x"), lr=2)


class TestStages:
    def test_take_options_or_keywords(self):
        @takes(Fit)
        def fit(options: Fit, *, messages: Any = SILENT) -> tuple[Fit, Any]:
            return options, messages

        options = Fit(data=Path("x"), lr=0.5)
        assert fit(options) == (options, SILENT)
        assert fit(Path("x"), lr=0.5, messages="heard") == (options, "heard")
        assert fit(data=Path("x"), lr=0.5) == (options, SILENT)
        with pytest.raises(TypeError, match="1 positional"):
            fit(Path("x"), 0.5)
        with pytest.raises(TypeError, match="missing"):
            fit()
        with pytest.raises(UsageError, match="--lr 7"):
            fit(Path("x"), lr=7)
        assert str(signature(Fit)).startswith("(data: pathlib.Path, *, solver: ")


def program_of(declared: type[Options], name: str) -> tuple[typer.Typer, list[Any]]:
    """A program with one command of these options, which collects them."""
    seen: list[Any] = []

    def command(options: Any) -> None:
        """Collect the options."""
        seen.append(options)

    command.__annotations__["options"] = declared
    program = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    program.command(name)(as_command(command, name))
    return program, seen


@dataclass(frozen=True, kw_only=True)
class OneMore(CamOptions):
    """The options of ``cam`` and one more, declared here and nowhere else."""

    sharpness: float = option(
        1.0,
        "exponent of the class maps",
        at_least=0,
        below=10,
        key="changed",
        unused=Unused(lambda o: not o.flip, "without --flip"),
    )


class TestOneOptionMore:
    """Declared in one place, an option is found in all five."""

    @pytest.fixture
    def run(self):
        program, seen = program_of(OneMore, "one-more")

        def run(*words: str) -> tuple[Any, list[OneMore]]:
            return runner.invoke(program, ["data", "--weights", "w.pth", *words]), seen

        return run

    def test_on_the_command_line_and_in_its_help(self, run):
        result, seen = run("--sharpness", "2", "--flip")
        assert result.exit_code == 0 and seen[0].sharpness == 2.0
        help = " ".join(run("--help")[0].output.split())
        assert "--sharpness <float> exponent of the class maps (in [0, 10)) [default: 1.0]" in help

    def test_in_the_range_check(self, run):
        result, seen = run("--sharpness", "10", "--flip")
        assert result.exit_code == 2 and not seen
        assert result.stderr == "wsstool one-more: --sharpness 10: give a number in [0, 10)\n"

    def test_in_the_key_and_the_rebuilt_command(self, run):
        sharp, default = (run("--flip", *words)[1][-1].key_params() for words in (["--sharpness", "2"], []))
        assert sharp == {**default, "sharpness": 2.0}
        assert store.key_of("one-more", sharp, []) != store.key_of("one-more", default, [])
        assert "--sharpness 2.0" in command_line("one-more", sharp, [], "a" * 32)

    def test_in_the_signature_that_the_reference_shows(self):
        parameter = signature(OneMore).parameters["sharpness"]
        assert (parameter.annotation, parameter.default) == (float, 1.0)

    def test_in_the_warning_where_it_does_nothing(self, run):
        result, _ = run("--sharpness", "2")
        assert result.exit_code == 0
        assert "--sharpness does nothing without --flip" in result.stderr
        assert "nothing" not in run("--sharpness", "2", "--flip")[0].stderr
        assert "nothing" not in run()[0].stderr
