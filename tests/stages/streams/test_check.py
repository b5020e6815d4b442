"""``check`` says what it has checked, and what it has not."""

import pytest
from typer.testing import CliRunner

from tests.store.records import example
from wsstool import store
from wsstool.cli.app import app
from wsstool.errors import BadInputError
from wsstool.stages.streams.check import check


@pytest.fixture
def damaged(tmp_path):
    """A file with one flipped bit in its payload."""
    path = tmp_path / "m.h5"
    example("mask", 5, seed=1).write(path)
    with store.open_records(path) as reader:
        start = reader.payload_start
    data = bytearray(path.read_bytes())
    data[start] ^= 1
    path.write_bytes(data)
    return path


def test_pixels_are_checked_with_full_only(damaged):
    quick = CliRunner().invoke(app, ["check", str(damaged)])
    assert quick.exit_code == 0
    text = f"{damaged}: structure and record table are whole, pixels not read (--full), mask, 5 images"
    assert quick.stdout.strip() == text
    assert check([str(damaged)])["files"][0]["full"] is False
    with pytest.raises(BadInputError, match="checksum"):
        check([str(damaged)], full=True)


def test_a_whole_file(tmp_path):
    example("mask", 5, seed=1).write(tmp_path / "m.h5")
    done = CliRunner().invoke(app, ["check", "--full", str(tmp_path / "m.h5")])
    assert done.stdout.startswith(f"{tmp_path / 'm.h5'}: whole, mask, 5 images")


def test_a_pipe_is_read_in_full(tmp_path):
    example("mask", 5, seed=1).write(tmp_path / "m.h5")
    done = CliRunner().invoke(app, ["check", "-"], input=(tmp_path / "m.h5").read_bytes())
    assert "whole, mask" in done.stdout and "structure" not in done.stdout
