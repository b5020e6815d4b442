"""Names from files reach neither the terminal as control characters nor, with stderr closed, the data."""

import json
import os
import subprocess
import sys

import pytest

from wsstool.cli.console import ConsoleMessages
from wsstool.cli.printed import print_message, visible
from wsstool.cli.tables import print_fields, print_json, print_table

HOSTILE = "x\x1b]0;title\x07\x1b[2J\x9b1m\u202egpj.\r\nexe"


def is_harmless(text: str) -> bool:
    return all(one.isprintable() or one in "\n\t" for one in text)


@pytest.mark.parametrize("name", [HOSTILE, "a\nb", "\udcff", "\x7f"])
def test_everything_that_is_printed(name, capsys):
    ConsoleMessages("cam").warn(f"{name}: damaged")
    print_fields({"classes": [name, "a b"], "table": {name: name}, "one": name})
    print_table([[name, 1.0]], ["class", "iou"])
    found = capsys.readouterr()
    assert is_harmless(found.out) and is_harmless(found.err)
    assert found.err.count("\n") == 1
    print_json({"classes": [name]})
    text = capsys.readouterr().out
    assert is_harmless(text)
    assert json.loads(text) == {"classes": [name]}


def test_other_text_stays():
    text = "Ärzte \N{HORSE} 图片 a\tb"
    assert visible(text) == text


def test_a_closed_stderr(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    print_message("hello")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full", "2> >(exec true)"])
@pytest.mark.parametrize("output", ["-o s", "-o s >&-"])
def test_commands_finish_without_stderr(tmp_path, stderr, output):
    if "full" in stderr and not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    line = f"{sys.executable} -m wsstool sample --count 2 --size 32 {output} {stderr}"
    assert subprocess.run(["bash", "-c", line], cwd=tmp_path).returncode == 0
    assert len(list((tmp_path / "s" / "images").iterdir())) == 2


def test_a_filter_without_stderr_writes_whole_files(tmp_path):
    """Messages go nowhere; with descriptor 2 free, a file of the command would get them."""
    program = f"{sys.executable} -m wsstool"
    lines = f"""set -o pipefail
        {program} sample --count 2 --size 32 -o s -q
        {program} propose s --workers 0 2>&- | {program} cat 2>&- > p.h5
        {program} check --full p.h5
    """
    assert subprocess.run(["bash", "-ec", lines], cwd=tmp_path).returncode == 0


def test_a_name_of_several_screens_is_cut(capsys):
    print_message("no image '" + "x" * 10_000 + "' in 'd'" + " and so on" * 100)
    text = capsys.readouterr().err
    assert text.startswith("no image 'xxx") and "x ... x" in text and text.count("and so on") == 100
    assert len(text) < 1500
