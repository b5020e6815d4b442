"""Laws that the declared options of every command keep: rebuilt commands parse, keys stay."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

import pytest
import typer

from tests.test_options import program_of, runner
from wsstool import store
from wsstool.argument_types import choices_of
from wsstool.cli.app import COMMANDS, app
from wsstool.cli.declared import options_class
from wsstool.options import Options, spelled
from wsstool.registry import COTRAINERS
from wsstool.stages.options.trainers.cotrain import SELECTING, CotrainOptions
from wsstool.stages.options.trainers.train_cls import TrainClsOptions
from wsstool.stages.options.trainers.train_contour import TrainContourOptions
from wsstool.store.command_line import NEGATIVES, command_line


def declared_commands() -> Iterator[tuple[str, type[Options]]]:
    for name, (target, _) in COMMANDS.items():
        module, _, function = target.partition(":")
        declared = options_class(getattr(import_module(f"wsstool.cli.{module}"), function))
        if declared:
            yield name, declared


DECLARED = dict(declared_commands())
KEYLESS = {"eval", "export", "report", "sample", "tiles"}
"""Commands whose results have no key: they are never rebuilt."""
TEXTS: dict[str, Any] = {
    "background_threshold": "0.2",
    "refine": "crf",
    "threshold": "auto",
    "shard": "1/2",
    "corruption": "fog",
    "loss": ["tightness=1", "zero=0.5"],
}
"""Texts of another form than any."""


def valued(params: dict[str, Any]) -> dict[str, Any]:
    """What weights files keep of the options: those that have a value."""
    return {name: value for name, value in params.items() if value is not None}


def parsed(name: str, words: list[str]) -> Any:
    """The options that the command line makes of these words."""
    program, seen = program_of(DECLARED[name], name)
    result = runner.invoke(program, words)
    assert result.exit_code == 0, (words, result.stderr)
    return seen[0]


def required(declared: type[Options]) -> dict[str, Path]:
    return {one.name: Path(one.name) for one in fields(declared) if one.default is MISSING}


def rebuilt(name: str, params: dict[str, Any]) -> list[str]:
    """The words after ``wsstool NAME`` of a rebuilt command; what is required is an input of the result."""
    positional = {n for n, one in DECLARED[name].declarations().items() if one.positional}
    inputs = [
        {"role": "data" if one in positional else one, "path": str(path)}
        for one, path in required(DECLARED[name]).items()
    ]
    words = shlex.split(command_line(name, params, inputs, "a" * 32))
    assert words[:2] == ["wsstool", name]
    return words[2:]


def another(declared: type[Options], name: str) -> Any:
    """A legal value of an option that is not its default."""
    hint = get_type_hints(declared)[name]
    default = next(one.default for one in fields(declared) if one.name == name)
    kind = next(one for one in (get_args(hint) or (hint,)) if one is not NoneType)
    choices, bounds = choices_of(hint), declared.declarations()[name]
    if choices:
        value = next(one for one in choices if one != default)
    elif kind is bool:
        value = not default
    elif int in (hint, kind, *get_args(kind)):
        value = next(n for n in range(1, 100) if bounds.contains(n) and n != default)
    elif kind is float or float in get_args(kind):
        value = next(x for x in (0.25, 0.75, 1.5) if bounds.contains(x) and x != default)
    else:
        value = Path("x y") if kind is Path else TEXTS.get(name, "x y")
    is_single = getattr(kind, "__origin__", None) is list and not isinstance(value, list)
    return [value, value] if is_single else value


@pytest.mark.parametrize("name", sorted(set(DECLARED) - KEYLESS))
class TestEveryRebuiltCommand:
    def test_its_rebuilt_command_parses_again(self, name):
        options = DECLARED[name](**required(DECLARED[name]))
        params = options.key_params()
        assert parsed(name, rebuilt(name, params)).key_params() == params

    def test_every_option_in_the_key_survives_the_rebuilt_command(self, name):
        for one, declaration in DECLARED[name].declarations().items():
            if declaration.key and not declaration.positional and one not in required(DECLARED[name]):
                given = {**required(DECLARED[name]), one: another(DECLARED[name], one)}
                params = DECLARED[name](**given).key_params()
                assert parsed(name, rebuilt(name, params)).key_params() == params, one


@pytest.mark.parametrize("name", DECLARED)
class TestEveryDeclaredCommand:
    @pytest.mark.parametrize("on", [True, False])
    def test_switches_with_a_negative_spelling_are_written_both_ways(self, name, on):
        for one, declaration in DECLARED[name].declarations().items():
            if any("/" in spelling for spelling in declaration.spelling):
                typed = spelled(DECLARED[name], one)[2:].replace("-", "_")
                assert getattr(parsed(name, rebuilt(name, {typed: on})), one) is on, one

    def test_help_texts_are_noun_phrases_and_leave_the_range_to_the_declaration(self, name):
        for one, declaration in DECLARED[name].declarations().items():
            assert not declaration.help.endswith("."), one
            assert not declaration.help.startswith("of "), one
            assert not declaration.range or declaration.range not in declaration.help, one


def test_negative_spellings_belong_to_a_switch():
    commands = typer.main.get_command(app).commands.values()  # type: ignore[attr-defined]
    there = {word for command in commands for one in command.params for word in one.secondary_opts}
    assert set(NEGATIVES.values()) <= there


@pytest.mark.parametrize(
    ("stage", "options"),
    [
        ("train-cls", TrainClsOptions(data=Path("x"), amp=False, class_list=Path("c.txt"))),
        ("train-contour", TrainContourOptions(data=Path("x"), amp=False, class_list=Path("c.txt"))),
        ("cotrain", CotrainOptions(source="x", amp=False, class_list=Path("c.txt"))),
    ],
)
def test_mixed_precision_and_class_list_are_in_the_key_and_the_rebuilt_command(stage, options):
    params = options.key_params()
    assert params["amp"] is False and params["class_list"] == Path("c.txt")
    words = command_line(stage, params, [], "a" * 32)
    assert "--no-amp" in words and "--class-list c.txt" in words


def test_a_probe_leaves_the_options_of_gradient_descent_out_of_the_key():
    assert valued(TrainClsOptions(data=Path("x"), probe=True).key_params()).keys() == {
        *("arch", "pool", "head_bias", "normalization", "loss"),
        *("probe", "penalty", "balanced", "intercept"),
    }
    assert valued(CotrainOptions(probe=True).key_params()).keys() == {
        *("arch", "normalization", "seed", "probe", "penalty"),
    }


@pytest.mark.parametrize(
    ("stage", "options", "key"),
    [
        # as train-cls resolves --normalization auto for most networks
        (
            "train-cls",
            TrainClsOptions(data=Path("x"), normalization="imagenet"),
            "a626caa3c151d51c5795112b362855bd",
        ),
        ("train-contour", TrainContourOptions(data=Path("x")), "18993a7495dfee6bd88d6bfdcc112be1"),
        ("cotrain", CotrainOptions(), "5b95e9a7746971c08d78c9eb401f3e3e"),
    ],
)
def test_keys_of_stored_results_stay_what_they_are(stage, options, key):
    """A new option is declared with ``key="changed"``, or finished results are computed again."""
    assert store.key_of(stage, valued(options.key_params()), []) == key


def test_the_methods_that_select_pixels_are_those_with_a_pool():
    assert set(SELECTING) == {m for m in COTRAINERS if "pool" in COTRAINERS.own_options(m)}
