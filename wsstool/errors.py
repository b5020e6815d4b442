"""The exceptions of wsstool; each class carries the exit code of the command line."""

from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """Exit codes of a wsstool process. This is the only list."""

    DONE = 0  #: done, or up to date
    FAILED = 1  #: failed for another reason
    USAGE = 2  #: wrong options
    SOME_FAILED = 3  #: finished, but more than --max-failed images failed
    BELOW = 4  #: eval below --fail-under
    BAD_INPUT = 65  #: input truncated, damaged, of another kind or schema
    MISSING_INPUT = 66  #: input, pixels or an optional package missing
    CANNOT_WRITE = 74  #: cannot write the output
    BUSY = 75  #: another process holds the output
    INTERRUPTED = 130  #: interrupted from the keyboard
    CLOSED_PIPE = 141  #: the reader of the output closed the pipe


class WsstoolError(Exception):
    """An error that the user can act on; the message is one clear sentence."""

    exit_code = ExitCode.FAILED


class UsageError(WsstoolError):
    """Options contradict each other or name something that does not exist."""

    exit_code = ExitCode.USAGE


class ArgumentError(UsageError, TypeError, ValueError):
    """An argument of a Python call is missing, unknown, or has the wrong type, shape or value."""


class UnknownImageError(UsageError, KeyError):
    """A record file has no image of that name, or several."""

    __str__ = Exception.__str__  # a KeyError puts its message in quotes


class SomeFailedError(WsstoolError):
    """The run finished, but more images failed than allowed; ``summary`` holds the scores, if any."""

    exit_code = ExitCode.SOME_FAILED

    def __init__(self, message: str, summary: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.summary = summary or {}


class BelowThresholdError(WsstoolError):
    """A score lies below the required one; ``summary`` holds all scores, which are still shown."""

    exit_code = ExitCode.BELOW

    def __init__(self, message: str, summary: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.summary = summary or {}


class BadInputError(WsstoolError):
    """An input is truncated, damaged, or of a kind that this stage does not read."""

    exit_code = ExitCode.BAD_INPUT


class MissingInputError(WsstoolError):
    """An input file, folder or image does not exist."""

    exit_code = ExitCode.MISSING_INPUT


class CannotWriteError(WsstoolError):
    """The output cannot be written: no space, no permission, no such folder."""

    exit_code = ExitCode.CANNOT_WRITE


class BusyError(WsstoolError):
    """Another process is writing the same output."""

    exit_code = ExitCode.BUSY
