"""Print text that may hold names from files, so that none of it controls the terminal or stops the run."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but the tab, marks that reverse the direction of text, lone surrogates."""

_LEFT_BY_JSON = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


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


def print_line(text: object = "") -> None:
    """Print a line of a result on stdout."""
    print(visible(str(text)))


def print_message(text: str) -> None:
    """Print one line on stderr; if that is closed or full, the command goes on without."""
    if sys.stderr is None:  # print() would take stdout in its place
        return
    with _broken_pipe_is_an_error(), suppress(OSError, ValueError):
        print(visible(text), file=sys.stderr, flush=True)


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
