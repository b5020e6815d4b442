"""Sentences in the formats of other programs, and back as JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wsstool.atomic import atomic_file, scratch_folder
from wsstool.errors import UsageError
from wsstool.expressions.formats import jsonl
from wsstool.expressions.recognise import read_expressions
from wsstool.expressions.shuffle import shuffled
from wsstool.registry import EXPRESSION_EXPORTS
from wsstool.stages.exchange.output import check_output, put
from wsstool.stages.inputs.sentences import open_sentences, report, true_mask
from wsstool.stages.options.exchange import ExportOptions, ImportOptions
from wsstool.types import Messages


def export_sentences(options: ExportOptions, messages: Messages) -> dict[str, Any]:
    """Write the sentences of a file in another format; names of images stay as they are.

    Returns:
        ``output``, ``format``, ``written`` (sentences) and ``failed``, which is 0.

    Raises:
        UsageError: an input beside the sentences, a format or an option that is not for sentences, or
            something is at the output already.
        BadInputError: a malformed file.
        CannotWriteError: no space, no permission, a file where a folder is written or the reverse.
    """
    format = options.format or "jsonl"
    if format not in EXPRESSION_EXPORTS.names():
        known = ", ".join(EXPRESSION_EXPORTS.names())
        raise UsageError(f"--format {format} is not for sentences; choose from {known}")
    if options.source is not None:
        raise UsageError(f"give an input file or --expressions, not both; the input is {options.source!r}")
    if options.settings or options.like or options.limits_scores:
        raise UsageError("--set, --like, --score-threshold and --score-below are not for sentences")
    if options.layer is not None or options.prefix is not None or options.flat:
        raise UsageError("--layer, --prefix and --flat are not for sentences")
    output = Path(options.output)
    check_output(output, options.force)
    expressions = read_expressions(Path(str(options.expressions)))
    report(expressions, messages)
    with scratch_folder(output) as staging:
        EXPRESSION_EXPORTS.load(format)(expressions.rows, staging / "export")
        is_same = put(staging / "export", output, options.force)
    if is_same:
        messages.say(f"'{output}' is up to date")
    written = sum(len(row.sentences) for row in expressions.rows)
    return {"output": str(output), "format": format, "written": written, "failed": 0}


def import_sentences(options: ImportOptions, messages: Messages) -> dict[str, Any]:
    """Write the sentences of a file as JSON lines.

    With ``images`` they are checked against the images of that folder: names are spelled as there, sizes are
    added, boxes are cut at the border, objects that have no image or whose box is outside are left out, and
    masks must be readable and of the size of their image.
    With ``shuffle`` every object gets sentences about other images, see ``expressions.shuffle``.

    Returns:
        ``output``, ``images``, ``objects`` and ``sentences``.

    Raises:
        UsageError: an annotation file beside the sentences, an option that is not for sentences, no output,
            or one that exists.
        BadInputError: a malformed file, or images of another size than stated.
        MissingInputError: no such file or folder.
    """
    if options.annotations is not None:
        given = str(options.annotations)
        raise UsageError(f"give a file with masks or --expressions, not both; the file is {given!r}")
    if options.like is not None or options.class_list is not None:
        raise UsageError("--like and --class-list are for masks")
    if options.output is None or str(options.output) == "-":
        raise UsageError("sentences are written to a file; name it with --output")
    output = Path(options.output)
    check_output(output, options.force)
    expressions = open_sentences(options.images, Path(str(options.expressions)), messages=messages)
    rows = expressions.rows
    if options.images is not None:
        for row in rows:
            true_mask(row, expressions.source)  # raises what is wrong with it
    if options.shuffle is not None:
        rows, kept = shuffled(rows, options.shuffle)
        if kept:
            messages.warn(
                f"one image has more than half of the sentences of {', '.join(kept)}; these stay as they are"
            )
    with atomic_file(output) as part:
        jsonl.write(rows, part)
    return {
        "output": str(output),
        "images": len({row.image for row in rows}),
        "objects": len(rows),
        "sentences": sum(len(row.sentences) for row in rows),
    }
