"""Average the class maps or probabilities of several networks: an ensemble, file by file."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.atomic import check_no_input_is_written
from wsstool.data.class_match import listed
from wsstool.errors import BadInputError, UsageError, WsstoolError
from wsstool.masks.normalise import normalise
from wsstool.masks.resize import resize
from wsstool.stages.inputs.image_content import content_of
from wsstool.stages.options.groups import check_record_name
from wsstool.stages.records import Payload, write_all
from wsstool.types import SILENT, Messages


def average(
    sources: Sequence[str],
    *,
    weight: Sequence[float] | None = None,
    output: Path | None = None,
    force: bool = False,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Average ``cam`` files of the same images and classes, made by different networks.

    Class maps, which every network gives another scale, are averaged as stored: divided by the largest
    magnitude of their image and layer.
    Probabilities are averaged as they are.
    The result has the grid, the number type and the layer names of the first file.
    An image that failed in one of the files is failed.
    The inputs are read side by side, one record of each at a time.

    Args:
        sources: two or more paths; one of them may be ``-``.
        weight: of each file, above 0; they are divided by their sum. None: equal.
        output: target; None: standard output.
        force: see ``store.create``.

    Returns:
        ``images``, ``failed`` (images that failed in one of the files) and ``key``.

    Raises:
        UsageError: fewer than two inputs, another number of weights, or the output is one of the inputs.
        BadInputError: files of other images, classes, mapped classes, kinds of maps or numbers of layers.
    """
    if len(sources) < 2:
        raise UsageError("name at least two files to average")
    weights = _weights(weight, len(sources))
    check_record_name(output)
    check_no_input_is_written(output, sources)
    with ExitStack() as stack:
        readers = [
            stack.enter_context(store.open_records(one, kinds=("cam",), command="average")) for one in sources
        ]
        headers = [reader.header for reader in readers]
        for other, name in zip(headers[1:], sources[1:], strict=True):
            _check_alike(headers[0], other, sources[0], name)
        header = _header(headers, sources, weights)
        with store.create(
            header, output, force=force, max_failed=sys.maxsize, messages=messages, reading=readers
        ) as writer:
            write_all(writer, _results(readers, weights, writer.start), messages, "class maps")
            if not writer.done:
                scores = [reader.tail["score"] for reader in readers]
                writer.tail["score"][...] = np.average(scores, axis=0, weights=weights)
        return {"images": len(header), "failed": writer.failed, "key": header.key}


def average_maps(
    maps: Sequence[np.ndarray], weights: Sequence[float], *, probabilities: bool = False
) -> np.ndarray:
    """Average the class maps of one image.

    Args:
        maps: (K, h, w) of each network, any grids.
        weights: of each network, with sum 1.
        probabilities: each is first divided by its sum over the classes of a cell.

    Returns:
        (K, h, w) float32 on the grid of the first.

    Example:
        >>> import numpy as np
        >>> one, other = np.array([[[1.0]], [[0.0]]]), np.array([[[1.0]], [[1.0]]])
        >>> average_maps([one, other], [0.5, 0.5], probabilities=True).ravel().tolist()
        [0.75, 0.25]
    """
    size = (maps[0].shape[-2], maps[0].shape[-1])
    if not maps[0].size:
        return np.asarray(maps[0], np.float32)
    scaled = [normalise(one, "probability") if probabilities else one for one in maps]
    resized = np.stack([resize(one, size) for one in scaled])
    return np.tensordot(np.asarray(weights, np.float32), resized, 1)


def _weights(given: Sequence[float] | None, count: int) -> list[float]:
    if not given:
        return [1 / count] * count
    if len(given) != count:
        raise UsageError(f"--weight was given {len(given)} times, for {count} files; give one per file")
    if min(given) <= 0 or not np.isfinite(given).all():
        raise UsageError("--weight must be a number above 0")
    return [one / sum(given) for one in given]


def _check_alike(first: store.Header, other: store.Header, name: str, other_name: str) -> None:
    """Refuse files that do not describe the same images and classes, cell by cell."""
    what = f"'{other_name}' and '{name}'"
    if first.classes.names != other.classes.names:
        raise BadInputError(
            f"{what} have different class lists: {listed(other.classes)}; {listed(first.classes)}"
        )
    contents = content_of(first), content_of(other)
    if first.images != other.images or (None not in contents and contents[0] != contents[1]):
        raise BadInputError(f"{what} were made from different images")
    if not np.array_equal(first.sizes, other.sizes):
        raise BadInputError(f"{what} have images of different sizes")
    if first.normalisation != other.normalisation:
        raise BadInputError(f"{what} differ in kind: class maps and probabilities are not averaged")
    if len(first.layers) != len(other.layers):
        raise BadInputError(f"{what} have {len(other.layers)} and {len(first.layers)} layers")
    columns = ("map_offset", "map_class")
    if not all(np.array_equal(first.columns[one], other.columns[one]) for one in columns):
        raise BadInputError(f"{what} have maps of different classes; make both with the same --targets")


def _header(headers: Sequence[store.Header], names: Sequence[str], weights: Sequence[float]) -> store.Header:
    """Build the header of the average, which is read as a file of the stage of its inputs."""
    first = headers[0]
    made = store.new_header(
        "cam",
        stage="average",
        params={"weight": list(weights)},
        inputs=[header.as_input(path=name) for header, name in zip(headers, names, strict=True)],
        images=first.images,
        sizes=first.sizes,
        shapes=first.shapes,
        elements=np.diff(first.offsets),
        classes=first.classes,
        labels=first.labels,
        image_root=first.image_root,
        dtype=first.dtype,
        columns={name: first.columns[name] for name in ("layer_size", "map_offset", "map_class")},
        attributes={
            name: first.attributes[name] for name in ("layers", "values") if name in first.attributes
        },
    )
    kept = {name: first.params[name] for name in ("corruption", "shard") if name in first.params}
    return replace(made, stage=first.stage, params={**made.params, **kept})


def _results(
    readers: Sequence[store.Reader], weights: Sequence[float], start: int
) -> Iterator[Payload | WsstoolError]:
    """Yield the averaged maps of each image from number ``start`` on."""
    suited = readers[0].header.normalisation
    for records in zip(*(reader.records(start) for reader in readers), strict=True):
        if any(record.failed for record in records):
            yield BadInputError("failed in an earlier stage")
            continue
        blocks = [
            average_maps(layers, weights, probabilities=suited == "probability")
            for layers in zip(*(record.maps for record in records), strict=True)
        ]
        scale = [1.0 if suited == "none" or not one.size else float(np.abs(one).max()) for one in blocks]
        data = [(one / (by or 1.0)).reshape(-1) for one, by in zip(blocks, scale, strict=True)]
        yield Payload(np.concatenate(data), {"scale": scale})
