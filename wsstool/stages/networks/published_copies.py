"""The averaged or the last weights of a published file, as ``--ema/--no-ema`` chooses."""

from __future__ import annotations

from pathlib import Path

from wsstool.models.weights import Weights
from wsstool.options import spelled
from wsstool.stages.options.groups import PublishedWeights
from wsstool.types import Messages


def chosen_average(options: PublishedWeights, files: dict[Path, Weights], messages: Messages) -> bool:
    """Return the value of ``--ema`` for the key: True, the default, also where there is no choice.

    Args:
        options: of the command.
        files: the weights files read with this option.
        messages: receives a warning if ``--no-ema`` is given and no file offers a choice.
    """
    if options.averaged or any(weights.has_choice for weights in files.values()):
        return options.averaged
    name = spelled(options, "averaged").removeprefix("--")
    paths = " and ".join(f"'{path}'" for path in files)
    messages.warn(f"--no-{name} does nothing: no second set of weights in {paths}")
    return True
