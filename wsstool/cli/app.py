"""The program and its commands, in groups; importing it loads neither torch nor h5py."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import Annotated, Any

import typer

from wsstool import __version__
from wsstool.cli.help_text import PanelCommand, summary
from wsstool.cli.interrupts import repeat_ignored
from wsstool.cli.printed import drop_output, print_message, refuse_closed_output
from wsstool.cli.run import as_command
from wsstool.cli.usage_errors import OneSentence

# Command -> (module:function, group), in the order of the help. A command file calls one stage.
COMMANDS: dict[str, tuple[str, str]] = {
    "sample": ("tools.sample:sample", "Data"),
    "tiles": ("tools.tiles:tiles", "Data"),
    "import": ("tools.import_masks:import_masks", "Data"),
    "train-cls": ("pipeline.train_cls:train_cls", "From image-level labels to masks"),
    "cam": ("pipeline.cam:cam", "From image-level labels to masks"),
    "pseudo-mask": ("pipeline.pseudo_mask:pseudo_mask", "From image-level labels to masks"),
    "train-contour": ("pipeline.train_contour:train_contour", "From boxes to masks"),
    "contour": ("pipeline.contour:contour", "From boxes to masks"),
    "propose": ("pipeline.propose:propose", "From boxes to masks"),
    "select": ("pipeline.select:select", "From boxes to masks"),
    "cotrain": ("pipeline.cotrain:cotrain", "From masks to a segmenter"),
    "predict": ("pipeline.predict:predict", "From masks to a segmenter"),
    "nms": ("pipeline.nms:nms", "Results"),
    "eval": ("pipeline.eval:evaluate", "Results"),
    "robustness": ("pipeline.robustness:robustness", "Results"),
    "report": ("tools.report:report", "Results"),
    "export": ("tools.export:export", "Results"),
    "info": ("tools.info:info", "Files"),
    "check": ("tools.check:check", "Files"),
    "cat": ("tools.cat:cat", "Files"),
    "merge": ("tools.merge:merge", "Files"),
    "average": ("tools.average:average", "Files"),
    "cache": ("tools.cache:cache", "Files"),
    "methods": ("tools.methods:methods", "Reference and setup"),
    "recipe": ("tools.recipe:recipe", "Reference and setup"),
    "weights": ("tools.weights:weights", "Reference and setup"),
    "doctor": ("tools.doctor:doctor", "Reference and setup"),
}


def _version(value: bool) -> None:
    if value:
        print(f"wsstool {__version__}")
        raise typer.Exit


def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    pass


def program(names: Iterable[str] = tuple(COMMANDS)) -> typer.Typer:
    """Assemble the program from some of its commands; each takes milliseconds to import."""
    made = typer.Typer(
        name="wsstool",
        cls=OneSentence,
        help="Train segmentation networks from image-level labels or boxes. Every command reads and writes "
        "HDF5 files, so commands can be piped, cached and rerun one by one.",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Exit codes: 0 done, 1 failed, 2 usage error, 3 some images failed, "
        "4 score below --fail-under, 65 bad input, 66 missing input, 74 cannot write, 75 output in use, "
        "130 interrupted, 141 reader closed the pipe.",
    )
    made.callback()(_main)
    for name in names:
        target, group = COMMANDS[name]
        module, _, function = target.partition(":")
        command = getattr(import_module(f"wsstool.cli.{module}"), function)
        register = made.command(
            name, cls=PanelCommand, short_help=summary(command.__doc__), rich_help_panel=group
        )
        register(as_command(command, name))
    return made


@cache
def __getattr__(name: str) -> Any:
    if name == "app":  # the program with all commands
        return program()
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def _occupy_closed_descriptors() -> None:
    """Open the null device for closed standard streams, so that no file gets their numbers."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def main() -> None:
    """Entry point of the ``wsstool`` script."""
    _occupy_closed_descriptors()
    repeat_ignored()
    refuse_closed_output()
    if hasattr(signal, "SIGPIPE"):  # --help ends quietly when its reader is gone
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    first = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    name = f"wsstool {first}" if first in COMMANDS else "wsstool"
    try:
        try:
            program([first] if first in COMMANDS else COMMANDS)(prog_name="wsstool")
        finally:
            sys.stdout.flush()  # what Python cannot flush at exit is lost without a sentence
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        drop_output()
        sys.exit(141)
    except OSError as error:  # commands handle their own errors, but not those of --help and of the flush
        drop_output()
        print_message(f"{name}: cannot write: {error.strerror or error}")
        sys.exit(74)
