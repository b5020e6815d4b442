"""``import`` of class probabilities of another program as a ``cam`` file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.data.dataset import Dataset, open_dataset
from wsstool.data.formats.score_maps import ScoreFolder, ScoreMaps, find, look
from wsstool.data.listing import Lookup
from wsstool.errors import BadInputError, UsageError
from wsstool.stages.options.exchange import ImportOptions
from wsstool.stages.records import Payload, write_all
from wsstool.store.provenance import canonical_json, digest
from wsstool.types import Messages


def import_score_maps(options: ImportOptions, messages: Messages) -> dict[str, Any]:
    """Write the class probabilities of a folder as a ``cam`` file, on their own grid and without rescaling.

    The score of a class in an image is its largest probability there.

    Returns:
        ``images``, ``maps``, ``key`` and ``dropped``, which is empty.

    Raises:
        UsageError: no image folder, no class list, or an option for annotation files.
        BadInputError: maps that fit no image, not the class list, or are no probabilities.
        MissingInputError: no such folder, or no maps in it.
    """
    if options.images is None:
        raise UsageError("score maps need their images: name their folder with --images")
    if options.like is not None:
        raise UsageError("--like is for COCO results")
    if options.shuffle is not None:
        raise UsageError("--shuffle is for sentences; --expressions names their file")
    dataset = open_dataset(options.images, labels="images", class_list=options.class_list)
    if not dataset.classes.names:
        raise UsageError(f"'{options.images}' has no class list; name one with --class-list")
    folder = find(Path(str(options.annotations)))
    dataset, maps = _matched(folder, dataset, messages)
    header = _header(options, folder, dataset, maps)
    with store.create(header, options.output, force=options.force, messages=messages) as writer:
        write_all(writer, map(_payload, maps[writer.start :]), messages, "images")
    return {
        "images": len(header),
        "maps": sum(len(m.class_ids) for m in maps),
        "key": header.key,
        "dropped": {},
    }


def _matched(folder: ScoreFolder, dataset: Dataset, messages: Messages) -> tuple[Dataset, list[ScoreMaps]]:
    """Return the images that have maps, and these, in the order of the images."""
    lookup = Lookup(dataset.names)
    found: dict[int, str] = {}
    unknown = []
    for name in folder.entries:
        i = lookup.find(name, f"'{folder.root}'")
        if i is None:
            unknown.append(name)
        elif i in found:
            raise BadInputError(f"'{folder.root}' has two entries for the image '{dataset.names[i]}'")
        else:
            found[i] = name
    if not found:
        raise BadInputError(
            f"none of the {len(unknown)} score maps in '{folder.root}' is named after an image, such as "
            f"'{unknown[0]}'"
        )
    if unknown:
        messages.warn(f"left out {len(unknown)} score maps without an image, such as '{unknown[0]}'")
    chosen = dataset.subset(sorted(found))
    if len(found) < len(dataset):
        messages.warn(f"left out {len(dataset) - len(found)} images without score maps")
    maps = [
        look(folder.root, folder.entries[found[i]], dataset.classes, (int(rows), int(columns)))
        for i, (rows, columns) in zip(sorted(found), chosen.sizes(), strict=True)
    ]
    return chosen, maps


def _header(
    options: ImportOptions, folder: ScoreFolder, dataset: Dataset, maps: list[ScoreMaps]
) -> store.Header:
    counts = np.array([len(one.class_ids) for one in maps])
    grids = np.array([one.shape for one in maps])
    listed = digest(
        canonical_json([list(dataset.names), dataset.sizes().tolist(), list(dataset.classes.names)])
    )
    return store.new_header(
        "cam",
        stage="import",
        params=options.key_params(),
        inputs=[
            store.Input.of_folder(folder.root, folder.files, role="input"),
            store.Input("images", {"fingerprint": listed}, str(options.images)),
        ],
        images=dataset.names,
        sizes=dataset.sizes(),
        shapes=np.concatenate([counts[:, None], grids], 1),
        classes=dataset.classes,
        image_root=dataset.root,
        dtype="float32",
        columns={
            "layer_size": grids[:, None],
            "map_offset": np.concatenate([[0], np.cumsum(counts)]),
            "map_class": np.array([i for one in maps for i in one.class_ids]),
        },
        attributes={"layers": ["imported"], "values": "probability"},
    )


def _payload(maps: ScoreMaps) -> Payload:
    values = maps.read()
    return Payload(values.reshape(-1), {"scale": [1.0], "score": values.max(axis=(1, 2))})
