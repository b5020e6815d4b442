"""Describe a file and how it was made: record files, weights, data folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.data.dataset import open_dataset
from wsstool.data.splits import split_names
from wsstool.errors import UsageError
from wsstool.types import SILENT, ClassList, Messages


def info(
    source: object = None,
    *,
    split: str | None = None,
    class_list: Path | None = None,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Describe a record file (from its header alone), a weights file, or a data folder.

    Args:
        source: the file or folder; ``-`` or None: standard input.
        split: split of a data folder; None: all of it.
        class_list: of a data folder, see ``open_dataset``.
        messages: receives notes on the interpretation of the tags of a data folder.

    Returns:
        For a record file: kind, stage, key, images, classes, payload size in bytes, parameters, images per
        class if labels are known, and ``commands``, oldest first: run in order, they reproduce the file.
        For weights: the result of ``wsstool.models.recognise.describe_weights``, and ``commands``.
    """
    if source is not None and Path(str(source)).is_dir():
        return _folder(Path(str(source)), split, class_list, messages)
    if split is not None or class_list is not None:
        raise UsageError("--split and --class-list apply to data folders, not to files")
    if source is not None and Path(str(source)).suffix in (".pth", ".pt", ".tar", ".ckpt", ".params"):
        from wsstool.models.recognise import describe_weights
        from wsstool.stages.networks.output_names import named_outputs

        described = describe_weights(Path(str(source)))
        meta = described["meta"]
        if not meta.get("named", True):  # named as in the stages that read them
            classes, ids = named_outputs(meta, ClassList(()), Path(str(source)))
            meta |= {"classes": list(classes.names), "class_ids": ids, "background": classes.background}
        history = meta.get("provenance", ())
        return {"file": str(source), **described, "commands": [step["command"] for step in history]}
    with store.open_records(source, command="info") as reader:
        header = reader.header
        names = header.classes.names
        found: dict[str, Any] = {
            "file": str(source or "-"),
            "kind": header.payload,
            "stage": header.stage,
            "key": header.key,
            "images": len(header),
            "unreadable": int(np.sum(header.sizes.sum(1) == 0)),
            "classes": list(names),
            "background": names[header.classes.background] if header.classes.background >= 0 else None,
            "image_root": header.image_root,
            "payload_bytes": int(header.offsets[-1]) * np.dtype(header.dtype).itemsize,
            "params": dict(header.params),
            **header.attributes,
        }
        if header.labels is not None:
            counts = header.labels.sum(0).tolist()
            found["images_by_class"] = {n: int(c) for n, c in zip(names, counts, strict=True) if c}
        found["inputs"] = list(header.inputs)
        found["commands"] = [step["command"] for step in header.provenance]
        return found


def _folder(root: Path, split: str | None, class_list: Path | None, messages: Messages) -> dict[str, Any]:
    dataset = open_dataset(root, split=split, class_list=class_list, untagged=True, messages=messages)
    names = dataset.classes.names
    found: dict[str, Any] = {
        "folder": str(root),
        "layout": dataset.layout,
        "images": len(dataset),
        "unreadable": int(np.sum(dataset.sizes().sum(1) == 0)),
        "with_true_mask": sum(dataset.mask_path(i) is not None for i in range(len(dataset))),
        "splits": split_names(root, dataset.names),
        "classes": list(names),
        "background": names[dataset.classes.background] if dataset.classes.background >= 0 else None,
    }
    if dataset.labels is not None:
        counts = dataset.labels.sum(0).tolist()
        found["images_by_class"] = {n: int(c) for n, c in zip(names, counts, strict=True) if c}
        bare = np.flatnonzero(dataset.labels.sum(1) == 0)
        found["without_tags"] = len(bare)
        if len(bare):
            found["first_without_tags"] = dataset.names[bare[0]]
    return found
