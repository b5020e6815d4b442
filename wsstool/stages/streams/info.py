"""Describe files and how they were made: records, weights, data folders, slides, annotations, sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from wsstool import store
from wsstool.data.dataset import open_dataset
from wsstool.data.label_views import locate
from wsstool.data.listing import find_images, is_image_name
from wsstool.data.splits import split_names
from wsstool.errors import BadInputError, UsageError, WsstoolError
from wsstool.expressions.counts import count
from wsstool.expressions.expression import Expression, Expressions
from wsstool.expressions.recognise import candidates, mentions_sentences, read_expressions
from wsstool.expressions.tokenizer import MAX_WORDS, tokenize
from wsstool.stages.inputs.sentences import is_split_of_images, open_sentences, rows_of_split
from wsstool.stages.inputs.untagged import open_images
from wsstool.stages.options.exchange import WEIGHTS_FILES
from wsstool.stages.slides.description import describe_slide
from wsstool.stages.streams.annotations import describe_annotations, describe_boxes
from wsstool.store.command_line import script_line
from wsstool.types import PACKAGES, SILENT, ClassList, Messages

_ANNOTATION_FILES = (".xml", ".zip", ".json")
_SENTENCE_FILES = (".jsonl", ".json", ".p", ".pkl", ".pickle")


class _Tags(NamedTuple):
    """Where the labels of a data folder and their classes are; None: as found there."""

    labels: Path | None = None
    class_list: Path | None = None


def info(
    source: object = None,
    *,
    split: str | None = None,
    labels: Path | None = None,
    class_list: Path | None = None,
    expressions: Path | None = None,
    script: bool = False,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Describe a record file (from its header alone), weights, a data folder, annotations, or sentences.

    Args:
        source: the file or folder; ``-`` or None: standard input.
        split: split of a data folder or of sentences; None: all of it.
        labels, class_list: of a data folder, see ``open_dataset``.
        expressions: file with sentences; None: the source itself, or the one found in the data folder.
        script: the commands are to be run: those that wsstool did not write are refused.
        messages: receives notes on the interpretation of the tags of a data folder.

    Returns:
        For a record file: kind, stage, key, images, classes, payload size in bytes, parameters, images per
        class if labels are known, ``expressions`` (counts) of a file with sentences, and ``commands``, oldest
        first: run in order, they reproduce the file.
        For a network that ``export`` wrote: what it says about itself, and ``commands``.
        For a slide: see ``describe_slide``.
        For weights: the result of ``wsstool.models.recognise.describe_weights``, and ``commands``.
        For an annotation file, and as ``boxes`` for a data folder: see ``annotations``.
        For sentences: ``file``, ``format``, and the result of ``wsstool.expressions.counts.count``; a data
        folder has them as ``expressions``.
    """
    tags = _Tags(labels, class_list)
    if source is not None and Path(str(source)).is_dir():
        return _folder(Path(str(source)), split, tags, expressions, messages)
    if source is not None and expressions is None and split is None and tags == _Tags():
        slide = describe_slide(Path(str(source)))
        if slide is not None:
            return slide
    if source is not None and is_image_name(str(source)) and Path(str(source)).is_file():
        return _images(Path(str(source)), split, None, tags, messages)
    if source is not None and expressions is None and split is None and tags == _Tags():
        annotations = _annotations(Path(str(source)), messages)
        if annotations is not None:
            return annotations
    if source is not None and Path(str(source)).suffix in _SENTENCE_FILES and expressions is None:
        source, expressions = None, Path(str(source))
    if expressions is not None:
        if source is not None or tags != _Tags():
            raise UsageError(
                "--expressions, --labels and --class-list are for a data folder; sentences have no classes"
            )
        found_sentences = open_sentences(None, expressions, messages=messages)
        return _counts(found_sentences, rows_of_split(found_sentences, None, split), expressions)
    if split is not None or tags != _Tags():
        raise UsageError("--split, --labels and --class-list apply to data folders, not to files")
    if source is not None and Path(str(source)).suffix in WEIGHTS_FILES:
        from wsstool.models.recognise import describe_weights
        from wsstool.stages.networks.output_names import named_outputs

        described = describe_weights(Path(str(source)))
        meta = described["meta"]
        if not meta.get("named", True):  # named as in the stages that read them
            classes, ids = named_outputs(meta, ClassList(()), Path(str(source)))
            meta |= {"classes": list(classes.names), "class_ids": ids, "background": classes.background}
        history = meta.get("provenance", ())
        return {"file": str(source), **described, **_commands(history, source, script)}
    if source is not None and Path(str(source)).suffix in (".onnx", ".pt2"):
        from wsstool.models.standalone.description import read_description

        network = read_description(Path(str(source)))
        commands = network.pop("provenance", [])
        return {"file": str(source), **network, "commands": commands}
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
        if header.sentences is not None:
            found["expressions"] = _sentences(header)
        found["inputs"] = list(header.inputs)
        found |= _commands(header.provenance, source or "-", script)
        return found


def _commands(history: Sequence[Mapping[str, Any]], source: object, script: bool) -> dict[str, list[str]]:
    commands = [step["command"] for step in history]
    packages = sorted({str(one) for step in history for one in step.get(PACKAGES, ())})
    found = {PACKAGES: packages} if packages else {}
    return {**found, "commands": [script_line(step, source) for step in history] if script else commands}


def _annotations(path: Path, messages: Messages) -> dict[str, Any] | None:
    """Describe an annotation file without sentences; None if it is something else."""
    suffix = path.suffix.lower()
    if suffix not in _ANNOTATION_FILES or (suffix == ".json" and mentions_sentences(path)):
        return None
    try:
        return describe_annotations(path, messages)
    except BadInputError:
        if suffix != ".json" or not _has_sentences(path):
            raise
        return None


def _has_sentences(path: Path) -> bool:
    try:
        return bool(read_expressions(path).rows)
    except WsstoolError:
        return False


def _sentences(header: store.Header) -> dict[str, int]:
    """Count the sentences of a record file, as those of a data folder are."""
    lengths = [len(tokenize(text)) for text in header.sentences or ()]
    image = np.repeat(np.arange(len(header)), np.diff(header.columns["box_offset"]))
    return {
        "images": len(np.unique(image)),
        "objects": len(set(zip(image.tolist(), header.columns["box_id"].tolist(), strict=True))),
        "sentences": len(lengths),
        "words": sum(lengths),
        "sentences_cut": sum(n > MAX_WORDS for n in lengths),
        "sentences_without_box": int(np.isnan(header.columns["box"]).any(1).sum()),
    }


def _folder(
    root: Path, split: str | None, tags: _Tags, expressions: Path | None, messages: Messages
) -> dict[str, Any]:
    names = find_images(root)
    source = _source_of_sentences(root, expressions, messages)
    if source is None:
        return _images(root, split, None, tags, messages)
    sentences = open_sentences(root if names else None, source, messages=messages)
    rows = rows_of_split(sentences, root, split)
    counted = _counts(sentences, rows, source)
    if not names:  # the files of REFER come without images
        return {"folder": str(root), "images": 0, "expressions": counted}
    is_of_images = split is None or is_split_of_images(root, split)
    chosen = None if is_of_images else {row.image for row in rows}
    return {**_images(root, split, chosen, tags, messages), "expressions": counted}


def _source_of_sentences(root: Path, expressions: Path | None, messages: Messages) -> Path | None:
    """Return the file with sentences; None if there is none, or if several leave the choice open."""
    if expressions is not None:
        return locate(root, expressions) or expressions
    found = candidates(root)
    if len(found) > 1:
        spelled = ", ".join(path.relative_to(root).as_posix() for path in found)
        messages.warn(f"several files with sentences: {spelled}; count those of one with --expressions")
    return found[0] if len(found) == 1 else None


def _counts(sentences: Expressions, rows: Sequence[Expression], source: Path) -> dict[str, Any]:
    return {"file": str(source), "format": sentences.format, **count(sentences, rows)}


def _images(
    root: Path, split: str | None, chosen: set[str] | None, tags: _Tags, messages: Messages
) -> dict[str, Any]:
    """Describe the images of a split of the folder, or those that are ``chosen`` by name."""
    named = split if chosen is None else None
    try:
        dataset = open_dataset(root, split=named, **tags._asdict(), untagged=True, messages=messages)
    except UsageError as error:
        if tags.labels is not None:
            raise
        dataset = open_images(root, split=named, class_list=tags.class_list)
        messages.warn(f"labels are not counted: {error}")
    if chosen is not None:
        dataset = dataset.subset(i for i, name in enumerate(dataset.names) if name in chosen)
    names = dataset.classes.names
    found: dict[str, Any] = {
        "folder": str(root),
        "layout": dataset.layout,
        "images": len(dataset),
        "unreadable": int(np.sum(dataset.sizes().sum(1) == 0)),
        "with_true_mask": sum(dataset.mask_path(i) is not None for i in range(len(dataset))),
        "splits": split_names(dataset.root, dataset.names),
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
    boxes = describe_boxes(dataset, messages)
    return found if boxes is None else {**found, "boxes": boxes}
