"""Every stage as a function that takes plain Python values and returns a ``Result``."""

from __future__ import annotations

import functools
import inspect
import logging
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any, get_type_hints

from wsstool.api.results import Result
from wsstool.argument_types import as_type, bound
from wsstool.errors import ArgumentError
from wsstool.types import Silent

# Public name -> "module:function" below wsstool.stages.
STAGES = {
    "train_cls": "train.train_classifier:train_cls",
    "cam": "pseudo_masks.cam:cam",
    "pseudo_mask": "pseudo_masks.pseudo_mask:pseudo_mask",
    "train_contour": "train.train_contour:train_contour",
    "contour": "objects.contour:contour",
    "propose": "objects.propose:propose",
    "select": "objects.select:select",
    "cotrain": "train.cotrain:cotrain",
    "predict": "predict.predict:predict",
    "nms_files": "detections.nms:nms",
    "evaluate": "scoring.evaluate:evaluate",
    "robustness": "robustness.robustness:robustness",
    "report": "report.report:report",
    "export": "exchange.export:export",
    "import_masks": "exchange.import_masks:import_masks",
    "sample": "program.sample:sample",
    "tiles": "slides.tiles:tiles",
    "info": "streams.info:info",
    "check": "streams.check:check",
    "merge": "streams.merge:merge",
    "average": "streams.average:average",
}
_STREAMS = ("source", "sources", "output")  # None or "-": standard input or output, on the command line
_SCORES = {"evaluate", "robustness"}  # return their results; the output file is optional


@functools.cache
def __getattr__(name: str) -> Callable[..., Result]:
    if name not in STAGES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    module, _, function = STAGES[name].partition(":")
    return as_function(name, getattr(import_module(f"wsstool.stages.{module}"), function))


def as_function(name: str, stage: Callable[..., Any]) -> Callable[..., Result]:
    """Wrap a stage for use in Python.

    Arguments are checked and converted by ``as_type``.
    Warnings are issued with ``warnings.warn``; other messages go to the logger ``wsstool``.

    Args:
        name: public name.
        stage: a function of ``wsstool.stages``.

    Returns:
        The function; it raises ArgumentError for arguments that the stage does not take.
    """
    parameters = _parameters(stage)
    streams = [key for key in _STREAMS if key in parameters and not (key == "output" and name in _SCORES)]
    for key in streams:
        if parameters[key].default is None:
            parameters[key] = parameters[key].replace(default=inspect.Parameter.empty)
    signature = inspect.Signature(_required_first(list(parameters.values())))

    @functools.wraps(stage)
    def function(*args: Any, **kwargs: Any) -> Result:
        given = bound(signature.bind_partial, args, kwargs).arguments
        for key in streams:
            value = given.get(key, parameters[key].default)
            if value is None or value is inspect.Parameter.empty or str(value) == "-":
                raise ArgumentError(
                    f"{name}() needs {key}='FILE'; only commands use standard input and output"
                )
        given = bound(signature.bind, args, kwargs).arguments
        fitted = {key: as_type(value, parameters[key].annotation, key) for key, value in given.items()}
        found = Result(stage(**fitted, messages=_PythonMessages()) or {})
        if given.get("output") is not None:
            found.setdefault("output", str(given["output"]))
        return found

    function.__name__ = function.__qualname__ = name
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def _required_first(parameters: list[inspect.Parameter]) -> list[inspect.Parameter]:
    """Make the required parameter positional where none is, such as the folder of ``sample``."""
    if any(one.kind is one.POSITIONAL_OR_KEYWORD for one in parameters):
        return parameters
    first = next((one for one in parameters if one.default is one.empty), parameters[0])
    others = [one for one in parameters if one is not first]
    return [first.replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD), *others]


def _parameters(stage: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of a stage, with resolved annotations, without ``messages``."""
    hints = get_type_hints(inspect.unwrap(stage))
    return {
        key: one.replace(annotation=hints.get(key, one.annotation))
        for key, one in inspect.signature(stage).parameters.items()
        if key != "messages"
    }


class _PythonMessages(Silent):
    """Messages of a stage that was called from Python."""

    def say(self, text: str) -> None:
        logging.getLogger("wsstool").info(text)

    def warn(self, text: str) -> None:
        warnings.warn(text, stacklevel=2)
