"""``wsstool sample`` as a program: exit codes, and the same parameters as its stage."""

import inspect

from typer.testing import CliRunner

from wsstool.cli.app import app
from wsstool.cli.tools.sample import sample as command
from wsstool.stages.program.sample import sample as stage


def run(*arguments):
    return CliRunner().invoke(app, ["sample", *map(str, arguments)])


def test_a_folder_is_made(tmp_path):
    result = run("-o", tmp_path / "s", "--count", 2, "--size", 48, "--kind", "tissue")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert len(list((tmp_path / "s/images").iterdir())) == 2


def test_exit_codes(tmp_path):
    (tmp_path / "file").write_text("")
    assert run("-o", tmp_path, "--count", 1).exit_code == 2
    assert run("-o", tmp_path / "s", "--count", 0).exit_code == 2
    assert run("--count", 1).exit_code == 2
    assert run("-o", tmp_path / "file", "--count", 1).exit_code == 74


def test_options_are_the_parameters_of_the_stage():
    own = {k: p.default for k, p in inspect.signature(command).parameters.items()}
    theirs = {k: p.default for k, p in inspect.signature(stage).parameters.items() if k != "messages"}
    assert own == theirs
