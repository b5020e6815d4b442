"""Train networks in sequence, each initialised from the previous one: FCN-32s, 16s, 8s as published."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from wsstool.errors import UsageError
from wsstool.registries.segmenters import split_arch
from wsstool.stages.options.trainers.cotrain import CotrainOptions


def read_stages(stages: Sequence[str], lr: float) -> list[tuple[str, float]]:
    """Parse ``ARCH[=LR]`` texts to (arch, learning rate).

    Raises:
        UsageError: an unknown or repeated architecture, or an invalid learning rate.

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
            raise UsageError(f"--stage {text}: {arch} is given twice")
        found.append((arch, number))
    return found


def in_stages(options: CotrainOptions) -> list[CotrainOptions]:
    """Return the options of each run; without ``stage`` those of the only one.

    Each run writes its own weights, beside those of the last one, and starts from those of the previous run.
    A run that is up to date is not repeated; an interrupted one resumes.

    Raises:
        UsageError: masks from standard input, which can be read only once; see ``read_stages``.
    """
    if not options.stage:
        return [options]
    if options.source is None or str(options.source) == "-":
        raise UsageError("--stage reads the masks once per stage; name a file instead of standard input")
    *others, last = read_stages(options.stage, options.lr)
    runs, init, output = [], options.init, Path(options.output)
    for arch, lr in others:
        file = output.with_name(f"{output.stem}.{arch}{output.suffix}")
        runs.append(replace(options, stage=None, arch=arch, lr=lr, init=init, output=file))
        init = file
    return [*runs, replace(options, stage=None, arch=last[0], lr=last[1], init=init)]
