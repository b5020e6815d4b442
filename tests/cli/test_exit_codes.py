"""Every error of a command is one sentence on stderr and its documented exit code."""

import errno
import os

import pytest

from wsstool import errors
from wsstool.cli.run import _exit_codes, as_command


def code_of(error: BaseException, capsys) -> tuple[int, str]:
    def fails(output: str = "-") -> None:
        raise error

    with pytest.raises(SystemExit) as stop:
        as_command(fails, "cam")(output="x", recipe=None, show_config=False, quiet=False, verbose=False)
    return int(stop.value.code), capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("odd"), 2),
        (errors.SomeFailedError("odd"), 3),
        (errors.BelowThresholdError("odd"), 4),
        (errors.BadInputError("odd"), 65),
        (errors.MissingInputError("odd"), 66),
        (errors.CannotWriteError("odd"), 74),
        (errors.BusyError("odd"), 75),
        (errors.WsstoolError("odd"), 1),
        (ValueError("odd"), 1),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), 74),
        (KeyboardInterrupt(), 130),
    ],
)
def test_codes(error, code, capsys):
    found, text = code_of(error, capsys)
    assert found == code
    assert text.startswith("wsstool cam: ")
    assert len(text.splitlines()) == 1


def test_a_sentence_stays_on_one_line(capsys):
    _, text = code_of(errors.BadInputError("one\n  two"), capsys)
    assert text == "wsstool cam: one two\n"


def test_success_passes():
    with _exit_codes("cam"):
        pass


def test_every_class_of_error_has_its_own_code():
    classes = [errors.WsstoolError, *errors.WsstoolError.__subclasses__()]
    assert len({c.exit_code for c in classes}) == len(classes)
