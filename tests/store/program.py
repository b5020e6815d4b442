"""A wsstool of two made-up commands over the real store, run as a process by the tests of pipes.

``produce``: masks of N images. ``consume``: doubles the values of its input. Both can be slow.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from wsstool import store
from wsstool.cli import options
from wsstool.cli.interrupts import repeat_ignored
from wsstool.cli.run import as_command, messages
from wsstool.types import ClassList

app = typer.Typer(pretty_exceptions_enable=False)


def _write(header, output, force, compute):
    with store.create(header, output, force=force, messages=messages()) as writer:
        for i, data in compute(writer.start):
            trace(f"computed {i}")
            writer.write(data)


def trace(text: str) -> None:
    if os.environ.get("TRACE"):
        print(text, file=sys.stderr, flush=True)


def produce(
    n: int = 40,
    side: int = 20,
    wait: float = 0.0,
    die: int = -1,
    output: options.Output = None,
    force: options.Force = False,
) -> None:
    header = store.new_header(
        "mask",
        stage="produce",
        params={"n": n, "side": side},
        inputs=[],
        images=[f"{i:06d}.png" for i in range(n)],
        sizes=np.full((n, 2), side),
        shapes=np.tile([1, side, side], (n, 1)),
        classes=ClassList(("background", *(f"object-{k}" for k in range(1, 200))), 0),
    )

    def compute(start):
        for i in range(start, n):
            if i == die:
                os.kill(os.getpid(), 9)
            time.sleep(wait)
            yield i, np.full((1, side, side), i % 100, np.uint8)

    _write(header, output, force, compute)


def consume(
    source: Annotated[str | None, typer.Argument()] = None,
    wait: float = 0.0,
    output: options.Output = None,
    force: options.Force = False,
) -> None:
    trace("opening")
    with store.open_records(source, kinds=("mask",), command="consume") as reader:
        old = reader.header
        trace("header")
        header = store.new_header(
            "mask",
            stage="consume",
            params={},
            inputs=[old.as_input(path=source)],
            images=old.images,
            sizes=old.sizes,
            shapes=old.shapes,
            classes=old.classes,
        )

        def compute(start):
            for record in reader.records(start):
                time.sleep(wait)
                yield record.index, record.data * 2

        _write(header, output and Path(output), force, compute)


for function in (produce, consume):
    app.command(function.__name__)(as_command(function, function.__name__))

if __name__ == "__main__":
    repeat_ignored()
    app()
