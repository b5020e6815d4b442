"""Print text that may hold names from files, so that none of it controls the terminal or stops the run."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but the tab, marks that reverse the direction of text, lone surrogates."""

_LEFT_BY_JSON = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


_LONGEST_WORD = 400
"""Characters of a word, such as a path or a name from a file, that a message shows."""

_WORD = re.compile(r"\S+")


def visible(text: str) -> str:
    r"""Spell control characters as escapes.

    >>> visible("a\x1b[2J\tb")
    'a\\x1b[2J\tb'
    """
    return _CONTROL.sub(lambda found: _escape(found.group()), text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def visible_json(text: str) -> str:
    """Spell the control characters that ``json.dumps`` leaves as they are as escapes of JSON."""
    return _LEFT_BY_JSON.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


class _Closed(io.RawIOBase):
    """Stands in for a closed standard output."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raise OSError(errno.EIO, "standard output is closed")


def refuse_closed_output() -> None:
    """Let a write raise OSError if standard output is closed or open for reading only.

    Python drops what is printed on a closed stream, and a command would end as if somebody had read it.
    """
    try:
        if sys.stdout is not None:
            os.write(sys.stdout.fileno(), b"")
            return
    except OSError as error:
        if error.errno != errno.EBADF:
            return  # the write that follows says what is wrong
    sys.stdout = io.TextIOWrapper(_Closed(), encoding="utf-8", write_through=True)  # type: ignore[type-var]


def drop_output() -> None:
    """Send the rest of standard output nowhere, so that Python does not fail to flush it at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_line(text: object = "") -> None:
    """Print a line of a result on stdout."""
    print(visible(str(text)))


def print_message(text: str) -> None:
    """Print one line on stderr; if that is closed or full, the command goes on without."""
    if sys.stderr is None:  # print() would take stdout in its place
        return
    with _broken_pipe_is_an_error(), suppress(OSError, ValueError):
        print(visible(shortened(text)), file=sys.stderr, flush=True)


def shortened(text: str) -> str:
    """Cut the middle of endless words: a file may claim a name that fills several screens.

    >>> len(shortened("no image '" + "x" * 10_000 + "'"))
    414
    """
    return _WORD.sub(lambda found: _ends(found.group()), text)


def _ends(word: str) -> str:
    half = _LONGEST_WORD // 2
    return word if len(word) <= 1.5 * _LONGEST_WORD else f"{word[:half]} ... {word[-half:]}"


@contextmanager
def _broken_pipe_is_an_error() -> Iterator[None]:
    """Let a write to a closed pipe raise, also in commands that end by SIGPIPE when stdout is closed."""
    if not hasattr(signal, "SIGPIPE") or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGPIPE, before)
