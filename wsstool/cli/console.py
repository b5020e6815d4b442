"""Messages and progress of a running command, on stderr: bars on a terminal, else a line per minute."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from wsstool.cli.printed import print_message
from wsstool.types import Advance

INTERVAL = 60.0
"""Seconds between two lines of progress."""


class Lines:
    """Progress as lines of text, for logs: ``class maps: 1200 of 20000, about 9 min left``.

    Args:
        messages: prints the lines.
        total: number of items.
        what: is counted.
    """

    def __init__(self, messages: ConsoleMessages, total: int, what: str) -> None:
        self._messages, self._total, self._what = messages, total, what
        self._done = 0
        self._start = self._printed = time.monotonic()

    def __call__(self, n: int = 1) -> None:
        """Count ``n`` items, and print a line if the last one was a minute ago and items are left."""
        self._done += n
        now = time.monotonic()
        if now - self._printed < INTERVAL or self._done >= self._total:
            return
        self._printed = now
        left = (now - self._start) / max(self._done, 1) * (self._total - self._done)
        minutes = f"{left / 60:.0f} min" if left >= 60 else f"{left:.0f} s"
        self._messages.say(f"{self._what}: {self._done} of {self._total}, about {minutes} left")


class ConsoleMessages:
    """Messages of a stage, printed as ``wsstool <command>: text`` on stderr.

    Args:
        command: name of the command, the prefix of each line.
        quiet: only warnings are printed.
    """

    def __init__(self, command: str, quiet: bool = False) -> None:
        self.command, self.quiet = command, quiet

    def say(self, text: str) -> None:
        if not self.quiet:
            self._print(text)

    def warn(self, text: str) -> None:
        self._print(f"warning: {text}")

    def _print(self, text: str) -> None:
        print_message(f"wsstool {self.command}: {text}")

    @contextmanager
    def track(self, total: int, what: str) -> Iterator[Advance]:
        """Show a progress bar over ``total`` items, or print a line per minute if stderr is no terminal."""
        if self.quiet or sys.stderr is None:
            yield lambda n=1: None
            return
        if not sys.stderr.isatty():
            yield Lines(self, total, what)
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(f"{self.command}: {what}", total=total)
            yield lambda n=1: bar.advance(task, n)
