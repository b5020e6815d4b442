"""The help: groups, panels, short summaries, and examples that can be pasted."""

import inspect
import re
import shlex
import subprocess
import sys
import time
from importlib import import_module

import pytest
import typer
from typer.testing import CliRunner

from wsstool.cli.app import COMMANDS, app
from wsstool.cli.declared import options_class
from wsstool.cli.help_text import PANELS, summary
from wsstool.cli.recipe_file import recipe_text

runner = CliRunner()
PROGRAM = typer.main.get_command(app)


def function_of(name):
    module, _, function = COMMANDS[name][0].partition(":")
    return getattr(import_module(f"wsstool.cli.{module}"), function)


def help_of(*words):
    return runner.invoke(app, [*words, "--help"]).output


def examples():
    """(command, line) for every example in the help of a command."""
    for name in COMMANDS:
        block = inspect.getdoc(function_of(name)).partition("Examples:\n")[2]
        yield from ((name, line.strip()) for line in block.splitlines() if line.strip())


def calls(line):
    """The words of each wsstool command in a shell line, without redirections."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True  # timm:NAME is one word
    words = list(lexer)
    starts = [i for i, word in enumerate(words) if word == "wsstool"]
    for i, start in enumerate(starts):
        own = words[start + 1 : starts[i + 1] if i + 1 < len(starts) else None]
        end = next((k for k, word in enumerate(own) if set(word) <= set("|&;<>")), None)
        yield own[:end]


def test_the_program_lists_its_commands_in_groups():
    text = help_of()
    groups = list(dict.fromkeys(group for _, group in COMMANDS.values()))
    found = re.findall(r"^(\w.*):$", text, re.M)
    assert found == [*groups, "Options"]
    for group in groups:
        block = re.search(rf"^{group}:\n((?:  .*\n)+)", text, re.M).group(1)
        listed = re.findall(r"^  ([a-z]\S*)", block, re.M)
        assert listed == [name for name, (_, own) in COMMANDS.items() if own == group]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_is_short_and_whole(name):
    line = summary(function_of(name).__doc__)
    assert len(line) <= 60 and line.endswith(".")
    assert re.search(rf"^  {name} +{re.escape(line)}$", help_of(), re.M)


@pytest.mark.parametrize("name", COMMANDS)
def test_options_stand_in_panels_in_one_order(name):
    titles = re.findall(r"^(\w+):$", help_of(name), re.M)
    titles = [t for t in titles if t != "Examples"]
    order = ["Arguments", *PANELS]
    assert titles == [t for t in order if t in titles]
    assert "Runtime" in titles


@pytest.mark.parametrize("name", COMMANDS)
def test_placeholders_are_words(name):
    left = re.findall(r"^  (-.*?)(?:  |$)", help_of(name), re.M)
    assert left
    assert not [one for one in left if re.search(r"[<>{}]|list\[", one)]


def test_a_panel_holds_its_options():
    text = help_of("cam")
    method = re.search(r"^Method:\n(.*?)\n\n", text, re.M | re.S).group(1)
    assert "--layer NAME" in method and "--scale FLOAT" in method and "--targets labels|scores|all" in method
    assert "--batch-size INT" not in method
    assert text.splitlines()[0] == "Usage: wsstool cam [OPTIONS] DATA"


def test_many_choices_stand_in_the_description():
    text = " ".join(help_of("export").split())
    assert "--format NAME" in text and "one of png, coco, coco-results, cvat, label-studio, yolo, voc" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_printed_as_they_are_typed(name):
    lines = help_of(name).splitlines()
    own = [line for command, line in examples() if command == name]
    assert own and not [line for line in own if f"      {line}" not in lines]


@pytest.mark.parametrize("line", sorted({line for _, line in examples()}))
def test_an_example_can_be_pasted(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(recipe_text("tags"))
    parsed = list(calls(line))
    assert parsed
    for command, *words in parsed:
        context = PROGRAM.commands[command].make_context(command, list(words))
        if declared := options_class(function_of(command)):
            declared(**{key: context.params[key] for key in declared.declarations()})


def test_an_example_with_a_wrong_option_is_found():
    (words,) = calls("A=1 wsstool check --whole *.h5 && make deploy > log")
    assert words == ["check", "--whole", "*.h5"]
    with pytest.raises(typer.TyperException, match="--whole"):
        PROGRAM.commands["check"].make_context("check", words[1:])


def test_text_is_wrapped_between_words():
    text = help_of("import")
    assert "'train-contour --boxes'" in " ".join(text.split())
    assert not re.search(r"\w-$", text, re.M)


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--help"], ["cam", "--help"]])
def test_help_answers_at_once(words):
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "wsstool", *words], capture_output=True, check=True)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.5  # 0.2 s on an idle machine
