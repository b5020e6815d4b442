"""Rebuild the command that makes a result from its recorded options."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

TRAINING_STAGES = ("train-cls", "cotrain", "train-contour")
"""Stages that write weights, not records."""

NEGATIVES = {
    **{name: f"--no-{name}" for name in ("flip", "amp", "rectify", "probe", "balanced", "intercept")},
    "head_bias": "--no-head-bias",
    "class_aware": "--class-agnostic",
    "inclusive": "--strict",
}
"""How a switch that is off is written; others are off when they are not named."""


def result_name(stage: str, key: str) -> str:
    """The file that a replayed command writes: named by its key, so that commands can refer to each other."""
    return key[:12] + (".pth" if stage in TRAINING_STAGES else ".h5")


def command_line(stage: str, params: Mapping[str, Any], inputs: list[dict[str, str]], key: str) -> str:
    """The command that makes this result again, rebuilt from its options (never from ``sys.argv``).

    Files that wsstool made are named by their keys, whatever they were called and whether they came through a
    pipe: the commands of a history, run in order, make everything again, and equal runs give equal bytes.

    >>> one = {"role": "input", "made_by": "cam", "made_key": "c" * 32}
    >>> command_line("pseudo-mask", {"rule": "argmax", "refine": None}, [one], "a" * 32)
    'wsstool pseudo-mask cccccccccccc.h5 --rule argmax -o aaaaaaaaaaaa.h5'
    """
    words = ["wsstool", stage]
    for one in inputs:
        made = one.get("made_by")
        path = result_name(made, one["made_key"]) if made else one["path"]
        if not path:
            continue
        if one["role"] in ("input", "data"):
            words.insert(2, path)
        else:
            words += [f"--{one['role']}", path]
    for name, value in params.items():
        option = "--" + name.replace("_", "-")
        if value is False and name in NEGATIVES:
            words.append(NEGATIVES[name])
        elif value is True:
            words.append(option)
        elif isinstance(value, list | tuple):
            for one_value in value:
                words += [option, str(one_value)]
        elif value is not None and value is not False:
            words += [option, str(value)]
    return shlex.join([*words, "-o", result_name(stage, key)])
