"""Shuffled sentences: each from another image of its set and split, none lost, all the rest as it was."""

from collections import Counter
from dataclasses import replace

import pytest

from wsstool.errors import UsageError
from wsstool.expressions.expression import Expression
from wsstool.expressions.shuffle import shuffled

PARTS = {"train": range(7), "val": range(7, 11)}
ROWS = [
    Expression(f"{n}.jpg", tuple(f"{split} {n} {k}" for k in range(1 + n % 3)), id=10 * n, split=split)
    for split, images in PARTS.items()
    for n in images
]


@pytest.mark.parametrize("seed", range(20))
def test_every_sentence_is_of_another_image_of_its_split(seed):
    found, kept = shuffled(ROWS, seed)
    assert not kept
    for before, after in zip(ROWS, found, strict=True):
        assert replace(after, sentences=before.sentences) == before
        for text in after.sentences:
            split, image, _ = text.split()
            assert split == before.split and f"{image}.jpg" != before.image
    texts = [Counter(text for row in rows for text in row.sentences) for rows in (ROWS, found)]
    assert texts[0] == texts[1]


def test_the_seed_decides():
    assert shuffled(ROWS, 3) == shuffled(ROWS, 3) != shuffled(ROWS, 4)


def test_half_of_the_sentences_about_one_image_is_the_most():
    half = [Expression("a.jpg", ("a", "b"), dataset="x")]
    half += [Expression(f"{name}.jpg", (name,), dataset="x") for name in "cd"]
    assert sorted(shuffled(half, 0)[0][0].sentences) == ["c", "d"]
    alone = [Expression("a.jpg", ("a", "b"), dataset="y", split="val"), Expression("b.jpg", ("c",))]
    rows, kept = shuffled([*half, *alone], 0)
    assert rows[3:] == tuple(alone) and kept == ["y val", "all"]
    with pytest.raises(UsageError, match="in every split one image has more than half of the sentences"):
        shuffled(half[:2], 0)
