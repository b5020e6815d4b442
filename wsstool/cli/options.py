"""Declared options as annotations, for commands that list their options themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsstool.cli.declared import annotation
from wsstool.stages.options.groups import METHOD as METHOD
from wsstool.stages.options.groups import OUTPUT as OUTPUT
from wsstool.stages.options.groups import DataFolder, Execution, RecordInput, RecordOutput, SentenceSource

if TYPE_CHECKING:
    ClassListFile = Path | None
    Expressions = Path | None
    Force = bool
    Labels = Path | None
    Output = Path | None
    Source = str | None
    Split = str | None
else:
    ClassListFile = annotation(DataFolder, "class_list")
    Expressions = annotation(SentenceSource, "expressions")
    Force = annotation(Execution, "force")
    Labels = annotation(DataFolder, "labels")
    Output = annotation(RecordOutput, "output")
    Source = annotation(RecordInput, "source")
    Split = annotation(DataFolder, "split")

Sources = Annotated[list[str], typer.Argument(help="input files", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object", rich_help_panel=OUTPUT)]
