"""Messages and progress bars of a running command, on stderr; bars only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from wsstool.cli.printed import print_message
from wsstool.types import Advance


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
        """Show a progress bar over ``total`` items; none when stderr is not a terminal."""
        if self.quiet or sys.stderr is None or not sys.stderr.isatty():
            yield lambda n=1: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(f"{self.command}: {what}", total=total)
            yield lambda n=1: bar.advance(task, n)
