"""Counts of objects, sentences and words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wsstool.expressions.expression import Expression, Expressions
from wsstool.expressions.splits import in_split, split_counts
from wsstool.expressions.tokenizer import MAX_WORDS, tokenize
from wsstool.expressions.vocabulary import Vocabulary

TRAINING = "train"


def count(expressions: Expressions, rows: Sequence[Expression]) -> dict[str, Any]:
    """Count what some objects of a source hold.

    Args:
        expressions: all objects; those of the split ``train`` define the vocabulary.
        rows: the objects to count.

    Returns:
        ``images``, ``objects``, ``sentences``, ``words``; ``sentences_cut``: those with more words than a
        network reads; ``vocabulary``: different words of the training split and ``unknown_words``: words
        that are not among them, each time they occur, both None without a training split;
        ``objects_without_box``, sentences on purpose without a target not included;
        ``sentences_without_target``; and ``splits``: objects and sentences by split.
    """
    texts = [text for row in rows for text in row.sentences]
    lengths = [len(tokenize(text)) for text in texts]
    training = [text for row in expressions.rows if in_split(row.split, TRAINING) for text in row.sentences]
    vocabulary = Vocabulary.of_sentences(training) if training else None
    return {
        "images": len({row.image for row in rows}),
        "objects": len(rows),
        "sentences": len(texts),
        "words": sum(lengths),
        "sentences_cut": sum(n > MAX_WORDS for n in lengths),
        "vocabulary": None if vocabulary is None else len(vocabulary) - 2,
        "unknown_words": None if vocabulary is None else sum(len(vocabulary.unknown(text)) for text in texts),
        "objects_without_box": sum(row.box is None and not row.no_target for row in rows),
        "sentences_without_target": sum(len(row.sentences) for row in rows if row.no_target),
        "splits": split_counts(rows),
    }
