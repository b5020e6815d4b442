"""Region proposals of a data set, streamed to a ``proposal`` file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.data.dataset import Dataset, open_dataset
from wsstool.errors import BadInputError, UsageError, WsstoolError
from wsstool.family import setting_texts
from wsstool.parallel import map_in_processes
from wsstool.proposals.limit import limited
from wsstool.proposals.superpixels import LARGEST_NUMBER
from wsstool.regions import Proposals
from wsstool.registry import PROPOSALS
from wsstool.stages.inputs.image_batches import read_picture
from wsstool.stages.objects.foreign_proposals import Make, files, imported, nothing
from wsstool.stages.objects.spool import Shelf
from wsstool.store.provenance import canonical_json, digest
from wsstool.types import SILENT, ClassList, Messages

MAX_PROPOSALS = 4000
"""Rows of a record; a row costs 6 bytes, so that the superpixel map stays the larger part."""

MIN_AREA = 20
"""Pixels; a smaller region is hardly an object."""


@dataclass(frozen=True)
class Made:
    """The proposals of an image, and how many did not fit into its rows."""

    proposals: Proposals
    left_out: int = 0


def propose(
    data: Path,
    *,
    output: Path | None = None,
    import_: Path | None = None,
    method: str = "tree",
    settings: Sequence[str] | None = None,
    max_proposals: int | None = None,
    min_area: int | None = None,
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
        import_: proposals of another program, see ``imported_proposals``; no method then, and no pixels.
        method: name in ``registry.PROPOSALS``.
        settings: ``NAME=VALUE`` options of the method.
        max_proposals: rows of each record: proposals and the regions that only build them; None:
            ``MAX_PROPOSALS``, or for an import what the largest image takes; a temporary file keeps all until
            that is known.
        min_area: smallest proposal, pixels; None: ``MIN_AREA``, and any for an import.
        max_area: largest proposal, share of the image, (0, 1].
        split, shard: which images, see ``data.open_dataset``.
        workers: processes; the result never depends on it.
        max_failed, force: see ``store.create``.

    Returns:
        ``images``, ``failed``, ``key``; ``proposals``: how many were made in this run.
    Raises:
        UsageError: an option's value. Others: see the parts.
    """
    if import_ is None and max_proposals is None:
        max_proposals = MAX_PROPOSALS
    if min_area is None:
        min_area = 0 if import_ else MIN_AREA
    check_limits(max_proposals, min_area, max_area)
    own = {} if import_ else PROPOSALS.settings(method, settings or ())
    dataset = open_dataset(data, split=split, untagged=True)
    dataset = dataset.subset(store.shard_indices(dataset.names, shard))
    params: dict[str, Any] = {
        "method": None if import_ else method,
        "set": setting_texts(own),
        "max_proposals": max_proposals,
        "min_area": min_area,
        "max_area": max_area,
        "split": split,
        "shard": shard,
    }
    sizes = dataset.sizes()
    limits: dict[str, Any] = {"min_area": min_area, "max_area": max_area}
    make: Callable[[Any], Made | WsstoolError]
    items: Sequence[Any]
    if import_:
        # no pixels are read, so that the key needs none: the masks say all
        inputs = [
            store.Input("data", {"fingerprint": _listing(dataset, sizes)}, str(dataset.root)),
            _input(import_),
        ]
        found = imported(import_, dataset)
        missing = [name for i, name in enumerate(dataset.names) if i not in found]
        if missing:
            messages.warn(f"'{import_}' has no proposal for {len(missing)} images, first {missing[0]}")
        items = [(found.get(i, nothing), tuple(size)) for i, size in enumerate(sizes.tolist())]
        make, workers = partial(_imported, rows=max_proposals or LARGEST_NUMBER, **limits), 0
    else:
        assert max_proposals is not None
        inputs = [store.Input.of_folder(dataset.root, dataset.names)]
        items = [(dataset.path(i), sizes[i]) for i in range(len(dataset))]
        make = partial(_proposals, make=partial(PROPOSALS.load(method), **own), rows=max_proposals, **limits)
    with ExitStack() as stack:
        if max_proposals is None:  # the header comes first, and says what the largest image takes
            shelf: Shelf[Made | WsstoolError] = stack.enter_context(Shelf())
            rows = _put(shelf, map_in_processes(make, items, workers), len(items), messages)
            made_from: Callable[[int], Iterator[Made | WsstoolError]] = shelf.since
        else:
            rows, made_from = max_proposals, lambda start: map_in_processes(make, items[start:], workers)
        header = proposal_header(params, inputs, dataset, sizes, rows)
        writer = stack.enter_context(
            store.create(header, output, force=force, max_failed=max_failed, messages=messages)
        )
        count = write_all(writer, made_from(writer.start), rows, messages)
    return {"images": len(header), "failed": writer.failed, "key": header.key, "proposals": count}


def check_limits(max_proposals: int | None, min_area: int, max_area: float) -> None:
    """Raise UsageError where a limit on proposals is out of its range."""
    if max_proposals is not None and not 1 <= max_proposals < 65535:
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


def _imported(
    item: tuple[Make, tuple[int, int]], *, rows: int, min_area: int, max_area: float
) -> Made | WsstoolError:
    """The proposals of one image that another program made, or why there are none."""
    make, size = item
    if not all(size):
        return BadInputError("its header cannot be read")
    try:
        found, left_out = make(size)
        kept, more = limited(found, rows, min_area=min_area, max_area=max_area)
    except WsstoolError as error:
        return error
    return Made(kept, left_out + more)


def _put(
    shelf: Shelf[Made | WsstoolError], made: Iterator[Made | WsstoolError], total: int, messages: Messages
) -> int:
    """Keep the proposals of all images; the rows that the largest takes."""
    rows = 1
    with messages.track(total, "proposals read") as advance:
        for one in made:
            shelf.add(one)
            rows = max(rows, len(one.proposals.nodes) if isinstance(one, Made) else 0)
            advance()
    return rows


def _listing(dataset: Dataset, sizes: np.ndarray) -> str:
    """Hash of the names and sizes of the pictures."""
    return digest(canonical_json([dataset.names, sizes]))


def _input(path: Path) -> store.Input:
    """The imported file or files, by content."""
    if path.is_dir():
        return store.Input.of_folder(path, [file.name for file in files(path)], role="import")
    return store.Input.of_file(path, role="import")
