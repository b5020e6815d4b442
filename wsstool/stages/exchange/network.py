"""A trained network as one file that takes plain pixels and runs without wsstool."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from wsstool import __version__
from wsstool.atomic import scratch_folder, write_errors
from wsstool.data.label_views import find_view
from wsstool.errors import BadInputError, UsageError
from wsstool.models.recognise import foreign_weights_error
from wsstool.models.standalone import onnx_file, pt2_file
from wsstool.models.standalone.agreement import largest_difference
from wsstool.models.standalone.pixels import OnPixels, on_pixels
from wsstool.models.standalone.trace import Traced, trace
from wsstool.models.weights import build_from_weights, load_weights
from wsstool.options import spelled
from wsstool.stages.exchange.output import check_output, put
from wsstool.stages.networks.output_names import named_outputs
from wsstool.stages.networks.published_copies import chosen_average
from wsstool.stages.networks.segmenter import of_arch
from wsstool.stages.options.choices import NETWORK_FORMATS
from wsstool.stages.options.exchange import ExportOptions
from wsstool.types import ClassList, Messages

_FILES = {"onnx": onnx_file, "pt2": pt2_file}
_HDF5 = b"\x89HDF"
_OWN = {"source", "output", "format", "force", "arch", "averaged", "class_list"}


def export_network(options: ExportOptions, messages: Messages) -> dict[str, Any]:
    """Write a trained network as ONNX or as an archive of ``torch.export``.

    The file holds the normalisation and padding of its input, and describes its inputs, outputs, classes and
    history. It is opened, run on random images of several sizes and compared with the network before it
    appears at ``output``.

    Returns:
        ``output``, ``format``, ``written`` (1), ``failed`` (0), and ``difference``: the largest of all
        outputs, in standard deviations of the output.

    Raises:
        UsageError: an option or a format that networks do not have, another ending, an ``arch`` that is not
            that of the file, or something is at the output already.
        MissingInputError: no such file, or the extra ``onnx`` is not installed.
        BadInputError: not a weights file, damaged, of a network that is not known, or a class list of
            another length.
        CannotWriteError: no space, no permission, a folder at the output.
        WsstoolError: the network cannot be traced, or the written one differs from it.
    """
    format, output = _format(options), Path(options.output)
    check_output(output, options.force)
    if format == "onnx":
        onnx_file.check_installed()
    source = _weights_file(options, format)
    network, meta = _described_network(source, options, messages)
    traced = trace(on_pixels(network, meta))
    with scratch_folder(output) as staging:
        made = staging / f"export.{format}"
        with write_errors(output):
            _FILES[format].write(traced, made, _description(traced, meta))
        difference = largest_difference(traced, _FILES[format].runner(made))
        is_same = put(made, output, options.force)
    if is_same:
        messages.say(f"'{output}' is up to date")
    messages.say(f"largest difference from torch: {difference:.1e} standard deviations of the output")
    return {"output": str(output), "format": format, "written": 1, "failed": 0, "difference": difference}


def _format(options: ExportOptions) -> str:
    """Return the format, by option or by the ending of the output, and check that they agree.

    Raises:
        UsageError: they do not, a format for other inputs, or an option that networks do not have.
    """
    ending = options.output.suffix.removeprefix(".").lower()
    format = options.format or (ending if ending in NETWORK_FORMATS else "onnx")
    if format not in NETWORK_FORMATS:
        raise UsageError(f"--format {format} cannot hold a network; choose from {', '.join(NETWORK_FORMATS)}")
    if ending != format:
        raise UsageError(f"'{options.output}' is to hold {format}; end its name with .{format}")
    declared = type(options).__dataclass_fields__
    odd = [
        spelled(options, name)
        for name in options.declarations()
        if name not in _OWN and getattr(options, name) != declared[name].default
    ]
    if odd:
        raise UsageError(f"{', '.join(odd)} {'is' if len(odd) == 1 else 'are'} not for networks")
    return format


def _weights_file(options: ExportOptions, format: str) -> Path:
    """Return the input, if it may be a weights file.

    Raises:
        UsageError: standard input.
        BadInputError: a record file.
    """
    if options.source in (None, "-"):
        raise UsageError(f"--format {format} needs a weights file; name it as the input")
    source = Path(str(options.source))
    if source.is_file():
        with open(source, "rb") as file:
            if file.read(len(_HDF5)) == _HDF5:
                raise BadInputError(
                    f"'{source}' is a record file, but --format {format} needs weights (.pth)"
                )
    return source


def _described_network(
    source: Path, options: ExportOptions, messages: Messages
) -> tuple[nn.Module, dict[str, Any]]:
    """Return the network of a weights file, and its description with the names of its classes.

    Raises:
        UsageError: an architecture that is not that of the file.
        BadInputError: damaged weights, of a network that is not known, or a class list of another length.
    """
    loaded = load_weights(source, averaged=options.averaged)
    if not loaded.meta:
        raise foreign_weights_error(source, "wsstool train-cls DATA --arch {}", "a classifier")
    chosen_average(options, {source: loaded}, messages)
    loaded = replace(loaded, meta=of_arch(loaded, options.arch, source))
    network, meta = build_from_weights(source, loaded)
    if loaded.state_dict_2 is not None:
        messages.warn(f"'{source}' contains two networks; only the first is exported")
    if "class_ids" in meta:
        classes = _classes(options, meta, messages)
        named, ids = named_outputs(meta, classes, source, is_named=bool(classes.names))
        meta = {
            **meta,
            "classes": list(named.names),
            "class_ids": ids,
            "background": named.background,
            "palette": [list(colour) for colour in named.palette],
        }
    return network, meta


def _classes(options: ExportOptions, meta: dict[str, Any], messages: Messages) -> ClassList:
    """Return the class list that the user names for a published network; empty: none is named."""
    if options.class_list is None:
        return ClassList(())
    if meta.get("named", True):
        messages.warn("--class-list does nothing: the weights name their classes")
        return ClassList(())
    return find_view(Path(), class_list=options.class_list).classes or ClassList(())


def _description(traced: Traced, meta: dict[str, Any]) -> dict[str, Any]:
    """Return what somebody who has only the file needs to use it."""
    network: OnPixels = traced.network
    told = {
        "made_by": f"wsstool {__version__}",
        "task": meta["task"],
        "arch": meta["arch"],
        "inputs": network.inputs,
        "outputs": network.outputs,
        "activation": network.activation,
        "least_side": traced.least_side,
        "provenance": [step["command"] for step in meta.get("provenance", ()) if step.get("command")],
    }
    own = ("classes", "class_ids", "background", "palette", "window", "image_size", "condition", "vocabulary")
    told |= {name: meta[name] for name in own if meta.get(name) not in (None, [], ())}
    return {name: value for name, value in told.items() if value is not None}
