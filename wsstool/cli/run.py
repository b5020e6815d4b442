"""How a command runs: common options, recipes, and every error as one sentence and an exit code."""

from __future__ import annotations

import errno
import functools
import inspect
import os
import signal
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_type_hints

import typer

from wsstool.cli.console import ConsoleMessages
from wsstool.cli.recipe_file import as_toml, defaults_of
from wsstool.cli.unused_options import sentences
from wsstool.errors import ExitCode, WsstoolError

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO}
_messages = ConsoleMessages("")
_context: typer.Context | None = None


def messages() -> ConsoleMessages:
    """The messages object of the running command."""
    return _messages


def call(stage: str, arguments: dict[str, Any]) -> Any:
    """Import ``module:function`` below ``wsstool.stages`` and call it with the command's own arguments.

    ``arguments`` is the command's ``locals()``; a stage has the same parameter names, and ``messages``.
    """
    module, _, function = stage.partition(":")
    return getattr(import_module(f"wsstool.stages.{module}"), function)(**arguments, messages=_messages)


def _read_recipe(context: typer.Context, value: str | None) -> str | None:
    global _context
    _context = context
    if value is not None:
        # The long spelling is the one name of an option in a recipe: --scale, not scales.
        known = {
            name[2:]: parameter.name
            for parameter in context.command.params
            for name in parameter.opts
            if name.startswith("--") and parameter.name
        }
        with _exit_codes(str(context.info_name)):
            found = defaults_of(value, str(context.info_name), known)
            context.default_map = {**(context.default_map or {}), **found}
    return value


_COMMON: dict[str, tuple[Any, Any]] = {
    "recipe": (
        Annotated[
            str | None,
            typer.Option(
                help="defaults for these options: a recipe's name or a TOML file",
                callback=_read_recipe,
                is_eager=True,
                rich_help_panel="Runtime",
            ),
        ],
        None,
    ),
    "show_config": (
        Annotated[
            bool,
            typer.Option(
                "--show-config",
                help="print the resolved options as TOML, do nothing",
                rich_help_panel="Runtime",
            ),
        ],
        False,
    ),
    "quiet": (
        Annotated[
            bool, typer.Option("--quiet", "-q", help="only warnings and errors", rich_help_panel="Runtime")
        ],
        False,
    ),
    "verbose": (
        Annotated[
            bool,
            typer.Option("--verbose", help="a traceback with an unexpected error", rich_help_panel="Runtime"),
        ],
        False,
    ),
}


class _exit_codes:  # noqa: N801 - reads as a statement: with _exit_codes(...)
    """Turn whatever a command raises into one sentence on stderr and its exit code."""

    def __init__(self, command: str, verbose: bool = False) -> None:
        self.command, self.verbose = command, verbose

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, SystemExit | typer.Exit | typer.Abort):
            return
        if isinstance(error, WsstoolError):
            self._leave(error.exit_code, str(error))
        if isinstance(error, KeyboardInterrupt):
            self._leave(
                ExitCode.INTERRUPTED, "interrupted; finished work is kept, the same command goes on with it"
            )
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more to flush at exit
            self._leave(ExitCode.CLOSED_PIPE, None)
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            self._leave(ExitCode.CANNOT_WRITE, f"cannot write: {error.strerror or error}")
        if self.verbose or os.environ.get("WSSTOOL_DEBUG"):
            traceback.print_exception(error)
        self._leave(
            ExitCode.FAILED,
            f"unexpected {type(error).__name__}: {error} (--verbose shows where; please report it)",
        )

    def _leave(self, code: ExitCode, text: str | None) -> NoReturn:
        if text:
            print(f"wsstool {self.command}: {' '.join(text.split())}", file=sys.stderr)
        raise SystemExit(int(code))


def as_command(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Wrap a command's function: the common options, recipes, SIGPIPE, errors."""

    @functools.wraps(function)
    def command(**arguments: Any) -> None:
        global _messages
        common = {key: arguments.pop(key) for key in _COMMON}
        if common["show_config"]:
            sys.stdout.write(as_toml(name, _as_typed(function, arguments)))
            return
        _messages = ConsoleMessages(name, quiet=common["quiet"])
        if str(arguments.get("output", "-")) in ("-", "None") and hasattr(signal, "SIGPIPE"):
            # A filter ends quietly when its reader goes away; a command with -o must survive a closed stderr.
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        for sentence in sentences(name, arguments, _typed(arguments)):
            _messages.warn(sentence)
        with _exit_codes(name, common["verbose"]):
            function(**arguments)

    signature = inspect.signature(function)
    extra = [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for key, (annotation, default) in _COMMON.items()
    ]
    hints = get_type_hints(function, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [p.replace(kind=keyword, annotation=hints[p.name]) for p in signature.parameters.values()]
    command.__signature__ = signature.replace(parameters=[*own, *extra])  # type: ignore[attr-defined]
    command.__annotations__ = {
        **hints,
        **{key: annotation for key, (annotation, _) in _COMMON.items()},
    }
    return command


def _typed(arguments: dict[str, Any]) -> list[str]:
    """Names of the options that stand on the command line, not in a recipe nor by default."""
    sources = {name: _context.get_parameter_source(name) for name in arguments} if _context else {}
    return [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]


def _as_typed(function: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Resolved values by the name of the option (``--scale``), without the positional inputs."""
    named = {}
    for key, hint in get_type_hints(function, include_extras=True).items():
        for meta in getattr(hint, "__metadata__", ()):
            if isinstance(meta, typer.models.OptionInfo) and key in arguments:
                # typer keeps the first spelling in the place of the default
                spelled = (meta.default, *(meta.param_decls or ()))
                longs = [d for d in spelled if isinstance(d, str) and d.startswith("--")]
                option = longs[0][2:].split("/")[0] if longs else key.replace("_", "-")
                named[option] = (
                    arguments[key] if not isinstance(arguments[key], Path) else str(arguments[key])
                )
    return named
