"""What to say of weights that say nothing of themselves, where a trained network is needed."""

from __future__ import annotations

from pathlib import Path

from wsstool.errors import BadInputError
from wsstool.models.recognise import fitting_backbones
from wsstool.models.weights import load_weights


def bare(path: Path, command: str, made: str) -> BadInputError:
    """The error for a bare state dict: what it fits, and the command that makes of it what is needed.

    Args:
        path: the file.
        command: that takes such weights as ``--init``, with ``{}`` for the name of the backbone.
        made: what the command makes.
    """
    fits = fitting_backbones(load_weights(path).state_dict)
    known = f"it fits the backbone {fits[0]}" if fits else "it fits no backbone that there is"
    start = f"{command.format(fits[0])} --init {path}" if fits else " ".join(command.split()[:2])
    return BadInputError(
        f"'{path}' is a bare state dict, which names neither its network nor its classes; {known}: "
        f"'{start}' makes {made}{' of it' if fits else ''}"
    )
