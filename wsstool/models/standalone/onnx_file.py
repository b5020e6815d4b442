"""``onnx``: for every runtime that reads ONNX; needs the extra ``onnx``."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from wsstool.errors import MissingInputError, WsstoolError
from wsstool.models.standalone.agreement import Runner
from wsstool.models.standalone.trace import Traced

OPSET = 18
"""Version of the ONNX operators."""


def check_installed() -> None:
    """Raise MissingInputError if a package of the extra ``onnx`` is missing."""
    if find_spec("onnx") is None or find_spec("onnxruntime") is None or find_spec("onnxscript") is None:
        raise MissingInputError(
            "--format onnx needs onnx, onnxruntime and onnxscript: pip install wsstool[onnx]"
        )


def write(traced: Traced, path: Path, description: Mapping[str, Any]) -> None:
    """Write the traced network, and its description as metadata: text as it is, the rest as JSON.

    Raises:
        WsstoolError: an operator that ONNX lacks.
    """
    try:
        with _quiet():
            made = torch.onnx.export(
                traced.program,
                (),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(traced.network.inputs),
                output_names=list(traced.network.outputs),
                verbose=False,
            )
    except Exception as error:  # the converter raises whatever its passes raise
        why = str(error).strip().partition("\n")[0]
        raise WsstoolError(f"this network cannot be converted to ONNX: {why}") from error
    assert made is not None
    for name, value in description.items():
        made.model.metadata_props[name] = value if isinstance(value, str) else json.dumps(value)
    made.save(path)


def runner(path: Path) -> Runner:
    """Open a written network; it runs on one thread of the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    return lambda inputs: session.run(None, dict(zip(names, inputs, strict=True)))


@contextlib.contextmanager
def _quiet() -> Any:
    """Silence the converter, which prints its progress."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)
