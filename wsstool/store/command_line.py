"""Rebuild the command that makes a result from its recorded options."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from wsstool.errors import BadInputError
from wsstool.types import Params

TRAINING_STAGES = ("train-cls", "cotrain", "train-contour")
"""Stages that write weights instead of records."""

NEGATIVES = {
    **{name: f"--no-{name}" for name in ("flip", "amp", "rectify", "probe", "balanced", "intercept")},
    "head_bias": "--no-head-bias",
    "token_gradient": "--no-token-gradient",
    "ema": "--no-ema",
    "init_ema": "--no-init-ema",
    "floored_positions": "--no-floored-positions",
    "class_aware": "--class-agnostic",
    "tissue": "--all-tiles",
    "inclusive": "--strict",
}
"""Spelling of switches that are off by option; other switches are off when not given."""

_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", "'": "\\'"}


def script_line(step: Mapping[str, Any], source: object) -> str:
    """Return the command of one step of a history as a line of a shell script.

    Only a command that wsstool would have recorded is returned: that of its stage, quoted, and with the
    output that its key names. Control characters are spelled as escapes.

    Raises:
        BadInputError: any other text: it would be run by whoever runs the script.

    >>> script_line({"stage": "cam", "key": "a" * 32, "command": "wsstool cam d -o aaaaaaaaaaaa.h5"}, "c.h5")
    'wsstool cam d -o aaaaaaaaaaaa.h5'
    """
    command, stage, key = (step.get(name) for name in ("command", "stage", "key"))
    try:
        words = shlex.split(str(command))
    except ValueError:
        words = []
    outputs = {"-o", "--output", "--force", "--log"}
    if (
        shlex.join(words) != command
        or words[:2] != ["wsstool", stage]
        or words[-2:] != ["-o", result_name(str(stage), str(key))]
        or not str(key).isalnum()
        or any(word.partition("=")[0] in outputs for word in words[:-2])
    ):
        raise BadInputError(
            f"the history of '{source}' holds a command that wsstool did not write: {command!r}"
        )
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    """Quote a word for bash, on one line."""
    if word.isprintable():
        return shlex.quote(word)
    escaped = (_SHORT.get(one) or (one if one.isprintable() else _hex(one)) for one in word)
    return f"$'{''.join(escaped)}'"


def _hex(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))


def result_name(stage: str, key: str) -> str:
    """Return the output of a rebuilt command, named by its key, so that commands can refer to each other."""
    return key[:12] + (".pth" if stage in TRAINING_STAGES else ".h5")


def command_line(stage: str, params: Mapping[str, Any], inputs: list[dict[str, str]], key: str) -> str:
    """Rebuild the command that makes this result from its options (never from ``sys.argv``).

    Files made by wsstool are named by their keys, whatever their names and whether they came through a pipe:
    the commands of a history, run in order, reproduce everything, and equal runs give equal bytes.

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
    unused = params.unused if isinstance(params, Params) else ()
    for name, value in params.items():
        if name in unused:
            continue
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
