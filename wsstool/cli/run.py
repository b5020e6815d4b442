"""Run a command: common options, recipes, and errors as one sentence with an exit code."""

from __future__ import annotations

import functools
import inspect
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_type_hints

import typer

from wsstool.atomic import DISK_ERRORS
from wsstool.cli.console import ConsoleMessages
from wsstool.cli.declared import options_class, parameters
from wsstool.cli.printed import drop_output, print_message
from wsstool.cli.recipe_file import as_toml, defaults_of
from wsstool.errors import ExitCode, WsstoolError
from wsstool.memory import is_lack_of_memory
from wsstool.options import Options

_running: ContextVar[ConsoleMessages] = ContextVar("messages", default=ConsoleMessages(""))  # noqa: B039
_METHODS = ("method", "refine", "rule")
"""Options that choose what ``--set`` is about."""

_CONTEXT = "context"  # the parameter through which typer passes its context


def messages() -> ConsoleMessages:
    """Return the messages object of the running command."""
    return _running.get()


def call(stage: str, arguments: Options | dict[str, Any]) -> Any:
    """Import ``module:function`` below ``wsstool.stages`` and call it with the options of the command.

    Args:
        stage: imported only now, so that ``--help`` responds quickly.
        arguments: declared options; or, for commands that list their own, the keywords of the stage.
    """
    if isinstance(arguments, Options):
        arguments.check_paths()
    module, _, name = stage.partition(":")
    function = getattr(import_module(f"wsstool.stages.{module}"), name)
    if isinstance(arguments, Options):
        return function(arguments, messages=messages())
    return function(**arguments, messages=messages())


def _read_recipe(context: typer.Context, value: str | None) -> str | None:
    if value is not None:
        # A recipe names an option by its long spelling only: --scale, not scales.
        known = {
            name[2:]: parameter.name
            for parameter in context.command.params
            for name in parameter.opts
            if name.startswith("--") and parameter.name
        }
        with _exit_codes(str(context.info_name)):
            found = defaults_of(value, str(context.info_name), known)
            repeated = {one.name for one in context.command.params if getattr(one, "multiple", False)}
            for option in repeated & found.keys():  # a single value stands for a list of one
                found[option] = found[option] if isinstance(found[option], list) else [found[option]]
            context.default_map = {**(context.default_map or {}), **found}
    return value


_COMMON: dict[str, tuple[Any, Any]] = {
    "recipe": (
        Annotated[
            str | None,
            typer.Option(
                help="recipe, by name or as a TOML file, that sets the defaults of these options",
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
                help="print the resolved options as TOML and exit",
                rich_help_panel="Runtime",
            ),
        ],
        False,
    ),
    "quiet": (
        Annotated[
            bool,
            typer.Option("--quiet", "-q", help="print only warnings and errors", rich_help_panel="Runtime"),
        ],
        False,
    ),
    "verbose": (
        Annotated[
            bool,
            typer.Option(
                "--verbose", help="print a traceback for unexpected errors", rich_help_panel="Runtime"
            ),
        ],
        False,
    ),
}


class _exit_codes:  # noqa: N801 - reads as a statement: with _exit_codes(...)
    """Turn an exception of a command into one sentence on stderr and an exit code."""

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
            self._leave(ExitCode.INTERRUPTED, "interrupted; finished work is kept, the same command resumes")
        if isinstance(error, BrokenPipeError):
            drop_output()
            self._leave(ExitCode.CLOSED_PIPE, None)
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            self._leave(ExitCode.CANNOT_WRITE, f"cannot write: {error.strerror or error}")
        if self.verbose or os.environ.get("WSSTOOL_DEBUG"):
            for line in "".join(traceback.format_exception(error)).splitlines():
                print_message(line)
        if is_lack_of_memory(error):
            self._leave(
                ExitCode.FAILED,
                "not enough memory; use a smaller --batch-size, --scale or --workers, or smaller images",
            )
        self._leave(
            ExitCode.FAILED,
            f"unexpected {type(error).__name__}: {error} (--verbose shows where; please report it)",
        )

    def _leave(self, code: ExitCode, text: str | None) -> NoReturn:
        if text:
            print_message(f"wsstool {self.command}: {' '.join(text.split())}")
        raise SystemExit(int(code))


def as_command(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Wrap a command's function: add the common options, recipes, SIGPIPE and error handling."""

    @functools.wraps(function)
    def command(**arguments: Any) -> None:
        context: typer.Context | None = arguments.pop(_CONTEXT, None)
        common = {key: arguments.pop(key) for key in _COMMON}
        arguments |= _settings_of_another_method(arguments, context)
        if common["show_config"]:
            sys.stdout.write(as_toml(name, _as_typed(own, arguments)))
            return
        _running.set(ConsoleMessages(name, quiet=common["quiet"]))
        if hasattr(signal, "SIGPIPE"):
            # A filter ends quietly when its reader is gone; a command with -o must survive a closed stderr.
            is_filter = str(arguments.get("output", "-")) in ("-", "None")
            signal.signal(signal.SIGPIPE, signal.SIG_DFL if is_filter else signal.SIG_IGN)
        with _exit_codes(name, common["verbose"]):
            if declared:
                options = declared(**arguments)
                for warning in options.warnings(_typed(arguments, context)):
                    messages().warn(warning)
                arguments = {"options": options}
            function(**arguments)

    declared = options_class(function)
    own = parameters(declared) if declared else _spelled_out(function)
    keyword = inspect.Parameter.KEYWORD_ONLY
    extra = [inspect.Parameter(_CONTEXT, keyword, annotation=typer.Context)]
    for key, (annotation, default) in _COMMON.items():
        extra.append(inspect.Parameter(key, keyword, default=default, annotation=annotation))
    command.__signature__ = inspect.Signature([*own, *extra])  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in (*own, *extra)}
    return command


def _spelled_out(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters of a command that lists its own, as keywords with resolved types."""
    hints = get_type_hints(function, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    found = inspect.signature(function).parameters.values()
    return [one.replace(kind=keyword, annotation=hints[one.name]) for one in found]


def _typed(arguments: dict[str, Any], context: typer.Context | None) -> list[str]:
    """Return the names of the options given on the command line, not by a recipe or default."""
    sources = {name: context.get_parameter_source(name) for name in arguments} if context else {}
    return [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]


def _settings_of_another_method(arguments: dict[str, Any], context: typer.Context | None) -> dict[str, Any]:
    """Return the ``--set`` of a recipe as unset if the command line replaces the method that it is for."""
    recipe = (context.default_map if context else None) or {}
    typed = _typed(arguments, context)
    replaced = [
        n for n in _METHODS if n in typed and n in recipe and not _names(recipe[n]) <= _names(arguments[n])
    ]
    return {"settings": None} if replaced and "settings" in recipe and "settings" not in typed else {}


def _names(value: str | list[str] | None) -> set[str]:
    """Return the methods that an option names: one, several or none."""
    return {value} if isinstance(value, str) else set(value or ())


def _as_typed(own: list[inspect.Parameter], arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the resolved values by option name (``--scale``), without the positional inputs."""
    named = {}
    for one in own:
        for meta in getattr(one.annotation, "__metadata__", ()):
            if isinstance(meta, typer.models.OptionInfo):
                # typer keeps the first spelling in the place of the default
                spelled = (meta.default, *(meta.param_decls or ()))
                longs = [d for d in spelled if isinstance(d, str) and d.startswith("--")]
                option = longs[0][2:].split("/")[0] if longs else one.name.replace("_", "-")
                value = arguments[one.name]
                named[option] = str(value) if isinstance(value, Path) else value
    return named
