"""The reference of the Python interface, from the public names and their docstrings."""

from __future__ import annotations

import inspect
from typing import Any

_COMMANDS = {"nms_files": "nms", "evaluate": "eval", "import_masks": "import"}


def python_page() -> str:
    """One section per public name."""
    import wsstool as ws
    from wsstool.api.stages import STAGES

    parts = ["## Stages", _table_of_stages(STAGES)]
    parts += [_stage(name, getattr(ws, name)) for name in STAGES]
    parts.append("## Files, networks and arrays")
    parts += [_function(name, getattr(ws, name)) for name in ws.__all__ if name not in STAGES]
    return "\n\n".join(parts)


def _table_of_stages(names: Any) -> str:
    return (
        f"Each of the {len(names)} functions runs the stage behind a command, with the same options: "
        '`--batch-size 4` is `batch_size=4`, `--set NAME=VALUE` is `settings={"NAME": VALUE}`.\n'
        "Signatures show the required parameters; `help(ws.cam)` shows all of them."
    )


def _stage(name: str, function: Any) -> str:
    command = _COMMANDS.get(name, name.replace("_", "-"))
    summary = (inspect.getdoc(function) or "").split("\n\n")[0]
    return (
        f"### {name}\n\n`ws.{name}{_required(function)}`\n\n{' '.join(summary.split())}\n"
        f"Options: [`wsstool {command}`](commands.md#{command})."
    )


def _required(function: Any) -> str:
    """The required parameters of a signature, keywords after a star."""
    shown: list[str] = []
    for one in inspect.signature(function).parameters.values():
        if one.default is inspect.Parameter.empty and one.kind is not inspect.Parameter.VAR_KEYWORD:
            if one.kind is inspect.Parameter.KEYWORD_ONLY and "*" not in shown:
                shown.append("*")
            shown.append(one.name)
    return f"({', '.join([*shown, '...'])})"


def _function(name: str, value: Any) -> str:
    if name == "__version__":
        return f"### {name}\n\nThe version, a string."
    if name == "nms":
        return _section(name, "nms.run", value.run)
    if name in ("cams", "refine"):
        return _section(name, f"{name}.NAME", value._call, skip=1)
    if inspect.isclass(value):
        return (
            f"### {name}\n\nThe base class of all errors that a user can act on; each is one sentence.\n"
            "Errors of arguments and arrays are also a `TypeError` and a `ValueError`, and that of an image "
            "name that a file does not have is also a `KeyError`."
        )
    return _section(name, name, value)


def _section(name: str, call: str, function: Any, skip: int = 0) -> str:
    parameters = list(inspect.signature(function).parameters.values())[skip:]
    plain = [one.replace(annotation=inspect.Parameter.empty) for one in parameters]
    signature = str(inspect.Signature(plain))
    head = f"### {name}\n\n`ws.{call}{signature}`"
    first, _, rest = (inspect.getdoc(function) or "").partition("\n\n")
    return f"{head}\n\n{' '.join(first.split())}\n\n```text\n{rest.rstrip()}\n```"
