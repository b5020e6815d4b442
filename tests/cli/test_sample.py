"""``wsstool sample`` as a program: its output and exit codes."""

from typer.testing import CliRunner

from wsstool.cli.app import app


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
