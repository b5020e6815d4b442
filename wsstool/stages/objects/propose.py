"""Region proposals of a data set, streamed to a ``proposal`` file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.data.dataset import Dataset
from wsstool.errors import BadInputError, UsageError, WsstoolError
from wsstool.family import setting_texts
from wsstool.memory import within_memory
from wsstool.options import takes
from wsstool.parallel import map_in_processes
from wsstool.proposals.limit import limited
from wsstool.proposals.superpixels import LARGEST_NUMBER
from wsstool.regions import Proposals
from wsstool.registry import PROPOSALS
from wsstool.stages.inputs.image_batches import read_sized_image
from wsstool.stages.inputs.untagged import open_images
from wsstool.stages.objects.foreign_proposals import (
    ReadProposals,
    find_proposals,
    no_proposals,
    proposal_files,
)
from wsstool.stages.objects.spool import Spool
from wsstool.stages.options.objects import ProposeOptions
from wsstool.stages.records import Payload, create, write_all
from wsstool.store.provenance import canonical_json, digest
from wsstool.types import SILENT, ClassList, Messages

MAX_PROPOSALS = 4000
"""Rows per record; at 6 bytes per row the superpixel map remains the larger part."""

MIN_AREA = 20
"""Minimum area in pixels; smaller regions are rarely objects."""


@dataclass(frozen=True)
class LimitedProposals:
    """The proposals of an image within the limits, and how many did not fit into its rows."""

    proposals: Proposals
    left_out: int = 0


Result = LimitedProposals | WsstoolError


@takes(ProposeOptions)
def propose(options: ProposeOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Propose regions in every image and write them as a ``proposal`` file; labels are not read.

    Without ``max_proposals`` the records of an import are as long as the largest image needs; until that is
    known, a temporary file holds the proposals.

    Returns:
        ``images``, ``failed``, ``key``; ``proposals``: how many were made in this run.

    Raises:
        UsageError: an option's value. Others: see the parts.
    """
    rows, min_area = options.max_proposals, options.min_area
    if options.import_ is None and rows is None:
        rows = MAX_PROPOSALS
    if min_area is None:
        min_area = MIN_AREA if options.import_ is None else 0
    own = {} if options.import_ else PROPOSALS.settings(options.method, options.settings or ())
    dataset = open_images(options.data, split=options.split, name_list=options.name_list, messages=messages)
    dataset = dataset.subset(store.shard_indices(dataset.names, options.shard))
    sizes = dataset.sizes()
    limit = partial(limited, min_area=min_area, max_area=options.max_area)
    if options.import_:
        source = _from_files(options.import_, dataset, sizes, limit, messages)
    else:
        method = partial(PROPOSALS.load(options.method), **own)
        source = _from_pixels(method, dataset, sizes, limit, options.workers)
        if PROPOSALS.takes(options.method, "features"):
            source = _with_features(source, options, method, limit, sizes, messages)
    params = options.key_params(settings=setting_texts(own), max_proposals=rows, min_area=min_area)
    with ExitStack() as stack:
        results = source.results
        if rows is None:  # the header comes first and states the rows of the largest image
            spool: Spool[Result] = stack.enter_context(Spool())
            rows = _fill(spool, results(LARGEST_NUMBER, 0), len(dataset), messages)
            made = spool.since
        else:
            made = partial(results, rows)
        header = _header(params, source.inputs, dataset, sizes, rows)
        writer = stack.enter_context(create(header, options, messages))
        counts = _Counts()
        payloads = counts.payloads(header.images[writer.start :], made(writer.start), rows)
        write_all(writer, payloads, messages, "proposals")
        counts.report(rows, messages)
    return {"images": len(header), "failed": writer.failed, "key": header.key, "proposals": counts.proposals}


@dataclass(frozen=True)
class _Source:
    """Source of the proposals.

    Attributes:
        inputs: for the key and the history.
        items: one per image; can be pickled.
        make: item and number of rows to proposals; can be pickled.
        workers: number of processes that pays off.
    """

    inputs: list[store.Input]
    items: Sequence[Any]
    make: Callable[..., Result]
    workers: int

    def results(self, rows: int, start: int) -> Iterator[Result]:
        """The proposals of the images from ``start`` on, at most ``rows`` rows each."""
        return map_in_processes(partial(self.make, rows=rows), self.items[start:], self.workers)


Limit = Callable[..., tuple[Proposals, int]]
"""Proposals and a number of rows to the proposals that are kept, and how many did not fit."""


def _from_pixels(
    method: Callable[[np.ndarray], Proposals],
    dataset: Dataset,
    sizes: np.ndarray,
    limit: Limit,
    workers: int,
) -> _Source:
    inputs = [store.Input.of_folder(dataset.root, dataset.names, typed=dataset.typed)]
    items = [(dataset.path(i), sizes[i]) for i in range(len(dataset))]
    return _Source(inputs, items, partial(_computed, method=method, limit=limit), workers)


def _with_features(
    source: _Source,
    options: ProposeOptions,
    method: Callable[..., Proposals],
    limit: Limit,
    sizes: np.ndarray,
    messages: Messages,
) -> _Source:
    """Let the method read the features of a network, in this process."""
    from wsstool.stages.networks.features import open_features
    from wsstool.stages.networks.whole_tokens import say_padding

    features = open_features(options)
    if features is None:
        raise UsageError(
            f"--method {options.method} needs the features of a network: give --weights FILE, or --init FILE "
            "and --arch NAME"
        )
    say_padding(features, sizes, messages)

    def proposals(image: np.ndarray) -> Proposals:
        return method(image, features(image))

    make = partial(_computed, method=proposals, limit=limit)
    return replace(source, inputs=[*source.inputs, *features.inputs], make=make, workers=0)


def _from_files(path: Path, dataset: Dataset, sizes: np.ndarray, limit: Limit, messages: Messages) -> _Source:
    # no pixels are read, so the key needs none: the masks suffice
    listing = digest(canonical_json([dataset.names, sizes]))
    inputs = [store.Input("data", {"fingerprint": listing}, str(dataset.root)), _input(path)]
    found = find_proposals(path, dataset)
    missing = [name for i, name in enumerate(dataset.names) if i not in found]
    if missing:
        messages.warn(f"'{path}' has no proposals for {len(missing)} images, such as {missing[0]}")
    items = [(found.get(i, no_proposals), tuple(size)) for i, size in enumerate(sizes.tolist())]
    return _Source(inputs, items, partial(_imported, limit=limit), 0)


def _input(path: Path) -> store.Input:
    """The imported file or files, by content."""
    if path.is_dir():
        return store.Input.of_folder(path, [file.name for file in proposal_files(path)], role="import")
    return store.Input.of_file(path, role="import")


def _computed(
    item: tuple[Path, np.ndarray], *, method: Callable[[np.ndarray], Proposals], limit: Limit, rows: int
) -> Result:
    """The proposals of one image, or why there are none."""
    image = read_sized_image(*item)
    if isinstance(image, WsstoolError):
        return image
    try:
        found = within_memory(partial(method, image), image.shape[:2])
        return found if isinstance(found, WsstoolError) else LimitedProposals(*limit(found, rows))
    except UsageError:
        raise
    except WsstoolError as error:
        return error


def _imported(item: tuple[ReadProposals, tuple[int, int]], *, limit: Limit, rows: int) -> Result:
    """The proposals of one image that another program made, or why there are none."""
    read, size = item
    if not all(size):
        return BadInputError("its size cannot be read")
    try:
        found, left_out = read(size)
        kept, more = limit(found, rows)
    except WsstoolError as error:
        return error
    return LimitedProposals(kept, left_out + more)


def _fill(spool: Spool[Result], results: Iterator[Result], total: int, messages: Messages) -> int:
    """Spool the proposals of all images; return the rows of the largest."""
    rows = 1
    with messages.track(total, "proposals read") as advance:
        for one in results:
            spool.add(one)
            rows = max(rows, len(one.proposals.nodes) if isinstance(one, LimitedProposals) else 0)
            advance()
    return rows


def _header(
    params: dict[str, Any], inputs: list[store.Input], dataset: Dataset, sizes: np.ndarray, rows: int
) -> store.Header:
    """A map and ``rows`` rows per image; empty if it cannot be read."""
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


@dataclass
class _Counts:
    """Count of proposals written, and of those that did not fit."""

    proposals: int = 0
    left_out: int = 0
    first: str = ""  #: image with proposals that did not fit

    def payloads(
        self, names: Iterable[str], results: Iterator[Result], rows: int
    ) -> Iterator[Payload | WsstoolError]:
        for name, one in zip(names, results, strict=True):
            if isinstance(one, WsstoolError):
                yield one
                continue
            self.proposals += len(one.proposals)
            self.left_out += one.left_out
            self.first = self.first or (name if one.left_out else "")
            yield Payload(proposal_record(one.proposals, rows))

    def report(self, rows: int, messages: Messages) -> None:
        if self.left_out:
            messages.warn(
                f"left out {self.left_out} proposals, first in {self.first}, because of --max-proposals "
                f"{rows}; raise it to keep more"
            )


def proposal_record(proposals: Proposals, rows: int) -> np.ndarray:
    """The record of an image: its map, its rows, padding."""
    found = np.full((rows, 3), 65535, np.uint16)
    found[: len(proposals.nodes)] = proposals.nodes
    return np.concatenate([proposals.superpixels.reshape(-1), found.reshape(-1)])
