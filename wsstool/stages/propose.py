"""Region proposals of a data set, streamed to a ``proposal`` file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.data.dataset import Dataset, open_dataset
from wsstool.errors import UsageError, WsstoolError
from wsstool.proposals.limit import limited
from wsstool.regions import Proposals
from wsstool.registry import PROPOSALS
from wsstool.stages.batches import read_picture
from wsstool.stages.processes import in_order
from wsstool.types import SILENT, ClassList, Messages

MAX_PROPOSALS = 4000
"""Rows of a record; a row costs 6 bytes, so that the superpixel map stays the larger part."""


@dataclass(frozen=True)
class Made:
    """The proposals of an image, and how many did not fit into its rows."""

    proposals: Proposals
    left_out: int = 0


def propose(
    data: Path,
    *,
    output: Path | None = None,
    method: str = "tree",
    settings: Sequence[str] | None = None,
    max_proposals: int = MAX_PROPOSALS,
    min_area: int = 20,
    max_area: float = 1.0,
    split: str | None = None,
    shard: str | None = None,
    workers: int = 2,
    max_failed: int = 0,
    force: bool = False,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Propose regions for every image.

    Args:
        data: data folder; no label is looked at.
        output: target; None: standard output.
        method: name in ``registry.PROPOSALS``.
        settings: ``NAME=VALUE`` options of the method.
        max_proposals: rows of each record: proposals and the regions that only build them.
        min_area: smallest proposal, pixels.
        max_area: largest proposal, share of the image, (0, 1].
        split, shard: which images, see ``data.open_dataset``.
        workers: processes; the result never depends on it.
        max_failed, force: see ``store.create``.

    Returns:
        ``images``, ``failed``, ``key``; ``proposals``: how many were made in this run.
    Raises:
        UsageError: an option's value. Others: see the parts.
    """
    check_limits(max_proposals, min_area, max_area)
    make = PROPOSALS.load(method)
    own = PROPOSALS.settings(method, settings or ())
    dataset = open_dataset(data, split=split, untagged=True)
    dataset = dataset.subset(store.shard_indices(dataset.names, shard))
    params: dict[str, Any] = {
        "method": method,
        "set": [f"{k}={v}" for k, v in own.items()],
        "max_proposals": max_proposals,
        "min_area": min_area,
        "max_area": max_area,
        "split": split,
        "shard": shard,
    }
    inputs = [store.Input.of_folder(dataset.root, dataset.names)]
    sizes = dataset.sizes()
    header = proposal_header(params, inputs, dataset, sizes, max_proposals)
    one = partial(
        _proposals, make=partial(make, **own), rows=max_proposals, min_area=min_area, max_area=max_area
    )
    with store.create(header, output, force=force, max_failed=max_failed, messages=messages) as writer:
        paths = [(dataset.path(i), sizes[i]) for i in range(writer.start, len(dataset))]
        count = write_all(writer, in_order(one, paths, workers), max_proposals, messages)
        return {"images": len(header), "failed": writer.failed, "key": header.key, "proposals": count}


def check_limits(max_proposals: int, min_area: int, max_area: float) -> None:
    """Raise UsageError where a limit on proposals is out of its range."""
    if not 1 <= max_proposals < 65535:
        raise UsageError(f"--max-proposals {max_proposals}: rows from 1 to 65534")
    if min_area < 0 or not 0 < max_area <= 1:
        raise UsageError("--min-area is in pixels, from 0; --max-area a share of the image, above 0 to 1")


def proposal_header(
    params: dict[str, Any],
    inputs: list[store.Input],
    dataset: Dataset,
    sizes: np.ndarray,
    rows: int,
) -> store.Header:
    """What the file will be: a map and ``rows`` rows an image; nothing where it cannot be read."""
    elements = np.where(sizes.all(1), sizes.prod(1, dtype=np.int64) + 3 * rows, 0)
    return store.new_header(
        "proposal",
        stage="propose",
        params=params,
        inputs=inputs,
        images=dataset.names,
        sizes=sizes,
        shapes=np.concatenate([sizes, np.full((len(sizes), 1), -1)], 1),
        elements=elements,
        classes=ClassList(()),
        image_root=dataset.root,
        attributes={"max_proposals": rows},
    )


def write_all(
    writer: store.Writer, made: Iterator[Made | WsstoolError], rows: int, messages: Messages
) -> int:
    """Write the proposals of the images from ``writer.start`` on; how many there are."""
    count = left_out = 0
    first = ""
    with messages.track(len(writer.header) - writer.start, "proposals") as advance:
        for i, one in enumerate(made, writer.start):
            if isinstance(one, WsstoolError):
                writer.fail(str(one))
            else:
                writer.write(flat(one.proposals, rows))
                count += len(one.proposals)
                left_out += one.left_out
                first = first or (writer.header.images[i] if one.left_out else "")
            advance()
    if left_out:
        messages.warn(
            f"{left_out} proposals did not fit, first of {first}; --max-proposals {rows} could be larger"
        )
    return count


def flat(proposals: Proposals, rows: int) -> np.ndarray:
    """The record of an image: its map, its rows, padding."""
    found = np.full((rows, 3), 65535, np.uint16)
    found[: len(proposals.nodes)] = proposals.nodes
    return np.concatenate([proposals.superpixels.reshape(-1), found.reshape(-1)])


def _proposals(
    picture: tuple[Path, np.ndarray],
    *,
    make: Callable[[np.ndarray], Proposals],
    rows: int,
    min_area: int,
    max_area: float,
) -> Made | WsstoolError:
    """The proposals of one image, or why there are none."""
    image = read_picture(*picture)
    if isinstance(image, WsstoolError):
        return image
    try:
        return Made(*limited(make(image), rows, min_area=min_area, max_area=max_area))
    except UsageError:
        raise
    except WsstoolError as error:
        return error
