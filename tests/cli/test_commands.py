"""Laws that every command keeps: help, examples, options that the stage knows, documentation."""

import ast
import inspect
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wsstool.cli.app import COMMANDS, app

ROOT = Path(__file__).parents[2]
runner = CliRunner()


def function_of(name: str):
    module, _, function = COMMANDS[name][0].partition(":")
    return getattr(import_module(f"wsstool.cli.{module}"), function)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_it_does_and_shows_an_example(name):
    result = runner.invoke(app, [name, "--help"])
    assert result.exit_code == 0
    assert "Example" in result.output
    assert f"wsstool {name}" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help_text(name):
    import typer

    command = typer.main.get_command(app).commands[name]
    bare = [p.name for p in command.params if not getattr(p, "help", None)]
    assert not bare


@pytest.mark.parametrize("name", COMMANDS)
def test_options_are_those_of_the_stage(name):
    """``call("module:function", locals())``: the stage has the same names, with the same defaults."""
    function = function_of(name)
    source = inspect.getsource(function)
    called = re.search(r'call\("([\w.:]+)", locals\(\)\)', source)
    if called is None:
        pytest.skip("chooses what it passes on")
    module, _, attribute = called.group(1).partition(":")
    stage = inspect.signature(getattr(import_module(f"wsstool.stages.{module}"), attribute)).parameters
    command = inspect.signature(function).parameters
    assert set(command) == set(stage) - {"messages"}
    differing = {
        key: (parameter.default, stage[key].default)
        for key, parameter in command.items()
        if parameter.default is not inspect.Parameter.empty
        and stage[key].default is not inspect.Parameter.empty
        and _plain(parameter.default) != _plain(stage[key].default)
    }
    assert not differing


def _plain(value):
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("name", COMMANDS)
def test_options_that_are_spelt_out_are_used(name):
    """No dead options: a parameter that the command neither passes on whole nor names is a mistake."""
    tree = ast.parse(inspect.getsource(function_of(name)))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if "locals" not in used:
        assert set(inspect.signature(function_of(name)).parameters) <= used


@pytest.mark.parametrize("name", COMMANDS)
def test_documented(name):
    pages = "\n".join(p.read_text() for p in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
    assert f"## {name}\n" in (ROOT / "docs/reference/commands.md").read_text()
    assert len(re.findall(rf"wsstool {name}\b", pages)) > 1


@pytest.mark.parametrize("recipe", ["fcn8s-staged", "fcn8s-staged-mean"])
def test_options_that_are_called_otherwise_than_their_parameter_read_back(tmp_path, recipe):
    first = runner.invoke(app, ["cotrain", "m.h5", "--recipe", recipe, "--show-config"])
    assert first.exit_code == 0
    (tmp_path / "again.toml").write_text(first.output)
    words = ["cotrain", "m.h5", "--recipe", str(tmp_path / "again.toml"), "--show-config"]
    assert runner.invoke(app, words).output == first.output


def test_show_config_reads_back(tmp_path):
    shown = runner.invoke(
        app, ["cam", "data", "--weights", "w.pth", "--scale", "0.5", "--flip", "--show-config"]
    )
    assert shown.exit_code == 0
    assert "scale = [0.5]" in shown.output
    recipe = tmp_path / "mine.toml"
    recipe.write_text(shown.output)
    again = runner.invoke(app, ["cam", "data", "--recipe", str(recipe), "--show-config"])
    assert again.exit_code == 0, again.output
    assert again.output == shown.output


@pytest.mark.parametrize(
    ("own", "kept"),
    [
        ([], True),
        (["--refine", "crf"], True),
        (["--refine", "regions", "--refine", "crf"], True),
        (["--refine", "random-walk"], False),
        (["--refine", "random-walk", "--set", "beta=3"], None),
    ],
)
def test_settings_of_a_recipe_are_for_its_method(own, kept):
    result = runner.invoke(app, ["pseudo-mask", "c.h5", "--recipe", "tags", *own, "--show-config"])
    found = tomllib.loads(result.output)["pseudo-mask"].get("set")
    assert found == {True: ["logit_scale=4"], False: None, None: ["beta=3"]}[kept]


@pytest.mark.parametrize("value", ['"crf"', '["crf"]'])
def test_a_repeatable_option_may_be_one_value_in_a_recipe(tmp_path, value):
    recipe = tmp_path / "mine.toml"
    recipe.write_text(f"[pseudo-mask]\nrefine = {value}\n")
    shown = runner.invoke(app, ["pseudo-mask", "c.h5", "--recipe", str(recipe), "--show-config"])
    assert shown.exit_code == 0 and 'refine = ["crf"]' in shown.output


def test_an_option_wins_over_the_recipe(tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('[cam]\nmethod = "layercam"\nbatch-size = 3\n')
    words = ["cam", "data", "--weights", "w", "--recipe", str(recipe), "--batch-size", "5", "--show-config"]
    shown = runner.invoke(app, words).output
    assert 'method = "layercam"' in shown
    assert "batch-size = 5" in shown


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("[cam\n", 65, "not TOML"),
        ("[cam]\nfrobnicate = 1\n", 2, "frobnicate"),
        (None, 66, "no recipe or file"),
    ],
)
def test_bad_recipes(tmp_path, text, code, says):
    path = tmp_path / "bad.toml"
    if text is not None:
        path.write_text(text)
    result = runner.invoke(app, ["cam", "data", "--weights", "w", "--recipe", str(path)])
    assert result.exit_code == code
    assert says in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_every_recipe_fits_its_commands():
    import typer

    from wsstool.cli.recipe_file import defaults_of, recipe_names, recipe_text

    commands = typer.main.get_command(app).commands
    for recipe in recipe_names():
        for name in tomllib.loads(recipe_text(recipe)):
            known = {o[2:]: p.name for p in commands[name].params for o in p.opts if o.startswith("--")}
            assert defaults_of(recipe, name, known)


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("cam = 3", 65, "sets 'cam' to a value; write a table"),
        ("[[cam]]\nworkers = 2", 65, "sets 'cam' to a value; write a table"),
        ("x = " + "[" * 3000 + "]" * 3000, 65, "is not TOML"),
        ("x = " + "1" * 9999, 65, "is not TOML"),
        (
            "[cam]\nworkers = 1979-05-27",
            2,
            "sets 'workers' to something else than a text, a number",
        ),
        ("[cam]\noutput = {a = 1}", 2, "sets 'output' to something else"),
        ("[cam]\nlayer = [[1]]", 2, "sets 'layer' to something else"),
    ],
)
def test_odd_recipes(tmp_path, text, code, says):
    (tmp_path / "odd.toml").write_text(text)
    found = runner.invoke(app, ["cam", "data", "--weights", "w.pth", "--recipe", str(tmp_path / "odd.toml")])
    assert found.exit_code == code and says in " ".join(found.stderr.split())


def test_of_an_option_given_twice_the_last_value_counts():
    """As the reference says, in front of the commands; repeatable options collect their values."""
    words = ["select", "p.h5", "--threshold", "auto", "--threshold", "0.3", "--set", "a=1", "--set", "b=2"]
    shown = tomllib.loads(runner.invoke(app, [*words, "--show-config"]).output)["select"]
    assert (shown["threshold"], shown["set"]) == ("0.3", ["a=1", "b=2"])
    words = ["cam", "d", "--weights", "w", "--flip", "--no-flip", "--scale", "1", "--scale", "2"]
    shown = tomllib.loads(runner.invoke(app, [*words, "--show-config"]).output)["cam"]
    assert (shown["flip"], shown["scale"]) == (False, [1.0, 2.0])
