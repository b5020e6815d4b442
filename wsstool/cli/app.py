"""The program: which commands there are, and in which groups. No torch, no HDF5 on import."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Annotated

import typer

from wsstool import __version__
from wsstool.cli.run import as_command
from wsstool.cli.usage_errors import OneSentence

# Command -> (module:function, group). A command file holds its own options and calls one stage.
COMMANDS: dict[str, tuple[str, str]] = {
    "train-cls": ("pipeline.train_cls:train_cls", "Training"),
    "train-contour": ("pipeline.train_contour:train_contour", "Training"),
    "cam": ("pipeline.cam:cam", "Labels to masks"),
    "contour": ("pipeline.contour:contour", "Labels to masks"),
    "pseudo-mask": ("pipeline.pseudo_mask:pseudo_mask", "Labels to masks"),
    "select": ("pipeline.select:select", "Labels to masks"),
    "propose": ("pipeline.propose:propose", "Boxes to masks"),
    "cotrain": ("pipeline.cotrain:cotrain", "Training"),
    "predict": ("pipeline.predict:predict", "Results"),
    "nms": ("pipeline.nms:nms", "Results"),
    "eval": ("pipeline.eval:evaluate", "Results"),
    "export": ("tools.export:export", "Results"),
    "import": ("tools.import_masks:import_masks", "Data"),
    "report": ("tools.report:report", "Results"),
    "sample": ("tools.sample:sample", "Data"),
    "info": ("tools.info:info", "Files"),
    "check": ("tools.check:check", "Files"),
    "cat": ("tools.cat:cat", "Files"),
    "merge": ("tools.merge:merge", "Files"),
    "methods": ("tools.methods:methods", "This program"),
    "cache": ("tools.cache:cache", "This program"),
    "doctor": ("tools.doctor:doctor", "This program"),
    "recipe": ("tools.recipe:recipe", "This program"),
}

app = typer.Typer(
    name="wsstool",
    cls=OneSentence,
    help="Turn cheap labels into pixel masks and trained segmenters. Each stage reads and writes HDF5; "
    "stages can be piped, cached and run again alone.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 some images failed, 4 below --fail-under, 65 bad input, "
    "66 input missing, 74 cannot write, 75 output busy, 130 interrupted, 141 reader gone.",
)


def _version(value: bool) -> None:
    if value:
        print(f"wsstool {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    pass


def _register() -> None:
    for name, (target, group) in COMMANDS.items():
        module, _, function = target.partition(":")
        command = getattr(import_module(f"wsstool.cli.{module}"), function)
        app.command(name, rich_help_panel=group)(as_command(command, name))


_register()


def main() -> None:
    """Entry point of the ``wsstool`` script."""
    try:
        app(prog_name="wsstool")
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:  # help for a full disk: commands answer for their own errors
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more to flush at exit
        print(f"wsstool: cannot write: {error.strerror or error}", file=sys.stderr)
        sys.exit(74)
