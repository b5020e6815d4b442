"""Compare the masks of sentences with those of the objects that they name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError
from wsstool.expressions.expression import Expression
from wsstool.expressions.tokenizer import tokenize
from wsstool.metrics.referring import central_object, largest_object
from wsstool.stages.options.scoring import EvalOptions
from wsstool.stages.scoring.ground_truth import source_name
from wsstool.stages.scoring.scorer import Source
from wsstool.stages.scoring.sentences.counts import SentenceScores
from wsstool.stages.scoring.sentences.truth import SentenceTruth, find_sentences
from wsstool.types import Messages, tracked

MASKS, LARGEST, CENTRAL, SHUFFLED = "masks", "largest object", "central object", "shuffled sentences"


def measure(source: Source, options: EvalOptions, messages: Messages) -> SentenceScores:
    """Compare the mask of every sentence with the ground truth, at the size of the image.

    Raises:
        MissingInputError: no sentences.
        BadInputError: a predicted sentence that the set does not have, masks of another size or that cannot
            be read, or shuffled predictions of other objects or another network.

    Notes:
        Only pixels of value 1 count as predicted. An image that failed in an earlier stage counts as an empty
        mask for a sentence with a target, and as a wrong one for a sentence without.
    """
    reader = source.records
    truth, root = find_sentences(
        reader.header,
        source.path,
        expressions=options.expressions,
        truth=options.truth,
        split=options.split,
    )
    shuffled = None
    if options.shuffled is not None:
        shuffled = ShuffledMasks(options.shuffled, reader.header, str(source.path))
    if truth.elsewhere and not reader.header.params.get("shard"):
        messages.warn(
            f"{truth.elsewhere} sentences of {truth.source} are about images without predictions and are not "
            "scored"
        )
    found = SentenceScores(source_name(source.path), truth.source, [], root=root)
    for record in tracked(reader.records(), messages, len(reader.header), "images"):
        count_image(record, truth, found, shuffled)
    return found


class ShuffledMasks:
    """What the same network predicts for the sentences of other objects.

    Args:
        path: of the file.
        header: of the predictions for the true sentences.
        name: path of these, for messages.

    Raises:
        BadInputError: a file without sentences, or of another network.
    """

    def __init__(self, path: Path, header: store.Header, name: str) -> None:
        self.path = path
        self.records = store.open_random(
            path, kinds=("selection", "mask"), command="eval --shuffled", sentences=True
        )
        theirs = self.records.header
        if theirs.sentences is None:
            raise BadInputError(f"'{path}' has no sentences; --shuffled needs predictions for shuffled ones")
        if weights_of(theirs) != weights_of(header):
            raise BadInputError(f"'{path}' and '{name}' were not predicted by the same weights")
        if theirs.sentences == header.sentences:
            raise BadInputError(
                f"'{path}' has the same sentences as '{name}'; 'wsstool import --shuffle' exchanges them"
            )
        self._places = {image: i for i, image in enumerate(theirs.images)}

    def of(self, record: store.Record) -> list[tuple[str, np.ndarray]]:
        """Return the other sentence of each entry of an image, and what it gives.

        Raises:
            BadInputError: no such image, or other objects in it.
        """
        header, theirs = record.header, self.records.header
        i = self._places.get(record.name)
        rows = header.rows(record.index, "box")
        other = None if i is None else theirs.rows(i, "box")
        if i is None or other is None or not _same_objects(header, rows, theirs, other):
            raise BadInputError(
                f"'{self.path}' does not have the objects of '{record.name}', each with as many sentences"
            )
        return [(text, mask) for _, text, mask in entries(self.records[i])]


def weights_of(header: store.Header) -> list[dict[str, str]]:
    """Return the fingerprints of the weights that a file was made with."""
    return [dict(one) for one in header.inputs if one["role"] == "weights"]


def _same_objects(header: store.Header, rows: slice, other: store.Header, others: slice) -> bool:
    return all(
        np.array_equal(header.columns[name][rows], other.columns[name][others], equal_nan=name == "box")
        for name in ("box_id", "box")
    )


def entries(record: store.Record) -> Iterator[tuple[int, str, np.ndarray]]:
    """Yield number of the object, sentence and (H, W) bool mask of every entry of an image."""
    header = record.header
    rows = header.rows(record.index, "box")
    numbers, sentences = header.columns["box_id"][rows].tolist(), (header.sentences or ())[rows]
    for number, text, mask in zip(numbers, sentences, record.placed, strict=True):
        yield number, text, mask == 1


def count_image(
    record: store.Record, truth: SentenceTruth, found: SentenceScores, shuffled: ShuffledMasks | None = None
) -> None:
    """Add the sentences of an image that are to be scored.

    Raises:
        BadInputError: a sentence that the set does not have, or a mask of another size.
    """
    rows = record.header.rows(record.index, "box")
    waiting = _waiting(truth.rows.get(record.name, ()))
    wanted = sum(len(row.sentences) for row in truth.rows.get(record.name, ()) if row.number in truth.chosen)
    if rows.start == rows.stop or not wanted:
        found.missing += wanted
        return
    objects = truth.image(record)
    guesses = _guesses(objects.objects)
    others = shuffled.of(record) if shuffled is not None else [None] * (rows.stop - rows.start)
    image, scored, failed = len(found.images), 0, record.failed
    predicted = zip(range(rows.start, rows.stop), entries(record), others, strict=True)
    for entry, (number, text, mask), other in predicted:
        same = waiting.get((number, text))
        if same is None:
            raise BadInputError(
                f"{truth.source} has no sentence {text!r} about object {number} of '{record.name}'; name the "
                "sentences of the predictions with --expressions"
            )
        if not same:
            raise BadInputError(
                f"the sentence {text!r} about object {number} of '{record.name}' was predicted more often "
                f"than {truth.source} has it"
            )
        row = same.pop(0)
        if number not in truth.chosen:
            continue
        scored += 1
        target = objects.masks.get(number)
        if target is None and not row.no_target:
            found.without_truth += 1
            continue
        pixels = {MASKS: _overlap(mask, target)}
        if failed and row.no_target:
            pixels[MASKS] = 0, max(1, mask.size)
        pixels |= {name: _overlap(one, target) for name, one in guesses.items()}
        if other is not None:
            pixels[SHUFFLED] = _overlap(other[1], target)
            found.unshuffled += other[0] == text
        found.add(
            entry,
            {
                "image": image,
                "truth": 0 if target is None else int(target.sum()),
                "has_target": not row.no_target,
                "words": len(tokenize(text)),
                "dataset": row.dataset,
            },
            pixels,
        )
    found.missing += wanted - scored
    found.failed += failed
    found.images.append(record.name)


def _waiting(rows: Sequence[Expression]) -> dict[tuple[int, str], list[Expression]]:
    """Return (number of the object, sentence) -> the objects, once per sentence."""
    found: dict[tuple[int, str], list[Expression]] = defaultdict(list)
    for row in rows:
        for text in row.sentences:
            found[row.number, store.stored_text(text)].append(row)
    return found


def _overlap(mask: np.ndarray | None, target: np.ndarray | None) -> tuple[int, int]:
    """Intersection and predicted pixels; a mask of another size is that of an unreadable image: empty."""
    if mask is None or target is None:
        return 0, 0 if mask is None else int(mask.sum())
    return (int((mask & target).sum()), int(mask.sum())) if mask.shape == target.shape else (0, 0)


def _guesses(objects: Sequence[np.ndarray]) -> dict[str, np.ndarray | None]:
    """Return baseline -> the mask that it gives for every sentence of an image; None without any object."""
    if not objects:
        return {LARGEST: None, CENTRAL: None}
    masks = np.stack(objects)
    return {LARGEST: masks[largest_object(masks)], CENTRAL: masks[central_object(masks)]}
