"""Report usage errors as a single line on stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from typer.exceptions import TyperException

from wsstool.cli.help_text import GroupedCommands
from wsstool.cli.printed import print_message


class OneSentence(GroupedCommands):
    """The program's commands; an unknown command gives one line on stderr."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line ``args``; exit with its code if ``standalone_mode``."""
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except TyperException as error:
            if not standalone_mode:
                raise
            self._leave(error, list(sys.argv[1:] if args is None else args))
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code

    def _leave(self, error: TyperException, words: list[str]) -> NoReturn:
        text = error.format_message()
        if "Usage:" in text:  # without a command, typer returns the help
            for line in text.splitlines():
                print_message(line)
            sys.exit(error.exit_code)
        command = next((word for word in words if word in self.commands), None)
        name = f"wsstool {command}" if command else "wsstool"
        sentence = " ".join(text.replace("Value error, ", "").replace("Input", "it").split()).rstrip(".")
        print_message(f"{name}: {sentence[:1].lower()}{sentence[1:]}; see {name} --help")
        sys.exit(error.exit_code)
