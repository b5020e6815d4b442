"""One network after another, each started from the one before: FCN-32s, 16s, 8s as published."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wsstool.errors import UsageError
from wsstool.models.segmenter import split_arch


def read_stages(stages: Sequence[str], lr: float) -> list[tuple[str, float]]:
    """``ARCH[=LR]`` texts as (arch, learning rate).

    Raises:
        UsageError: no such arch, the same one twice, a rate that is none.

    Example:
        >>> read_stages(["fcn32s-vgg16=1e-10", "fcn16s-vgg-16"], 0.5)
        [('fcn32s-vgg-16', 1e-10), ('fcn16s-vgg-16', 0.5)]
    """
    found: list[tuple[str, float]] = []
    for text in stages:
        spelled, equals, rate = text.partition("=")
        arch = "-".join(split_arch(spelled.strip()))
        try:
            number = float(rate) if equals else lr
        except ValueError:
            number = math.nan
        if not 0 <= number < math.inf:
            raise UsageError(f"--stage {text}: write ARCH or ARCH=LR, with a learning rate of 0 or more")
        if arch in [one for one, _ in found]:
            raise UsageError(f"--stage {text}: {arch} is there already")
        found.append((arch, number))
    return found


def in_stages(train: Callable[..., dict[str, Any]], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Run ``cotrain`` once a stage. Each writes weights of its own, beside those of the last stage.

    A stage that is up to date is not repeated, an interrupted one goes on: each is a run of its own.

    Args:
        train: ``cotrain``.
        arguments: its arguments; ``stage`` gives arch and learning rate of each run, ``init`` starts the
            first one, ``output`` is the last one's.

    Returns:
        What the last run returns, and ``stages``: the weights files in order.

    Raises:
        UsageError: masks from standard input, which can be read once only; see ``read_stages``.
    """
    source, output = arguments["source"], Path(arguments["output"])
    if source is None or str(source) == "-":
        raise UsageError("--stage reads the masks once a stage: give them as a file")
    stages = read_stages(arguments["stage"], arguments["lr"])
    files = [output.with_name(f"{output.stem}.{arch}{output.suffix}") for arch, _ in stages[:-1]]
    files.append(output)
    result: dict[str, Any] = {}
    init = arguments["init"]
    for (arch, lr), file in zip(stages, files, strict=True):
        own = {"stage": None, "arch": arch, "lr": lr, "init": init, "output": file}
        result = train(**{**arguments, **own})
        init = file
    return {**result, "stages": [str(file) for file in files]}
