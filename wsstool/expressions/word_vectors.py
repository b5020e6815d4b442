"""Published word vectors in GloVe's text format, as the start of word embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsstool.annotation_file import regular
from wsstool.errors import BadInputError, MissingInputError
from wsstool.expressions.vocabulary import PADDING, Vocabulary


@dataclass(frozen=True)
class WordVectors:
    """One vector per word of a vocabulary.

    Args:
        matrix: (V, D) float32.
        found: (V,) bool: the word is in the file.
    """

    matrix: np.ndarray
    found: np.ndarray


def read_word_vectors(path: Path, vocabulary: Vocabulary, *, seed: int = 0) -> WordVectors:
    """Read the vectors of the words of a vocabulary.

    One line per word: the word, then its numbers, separated by single spaces. A first line of two whole
    numbers (as word2vec writes) is skipped; of a word that occurs twice the first vector counts.

    Args:
        path: a text file such as ``glove.6B.300d.txt``; it is read line by line.
        vocabulary: the words.
        seed: of the vectors of words that the file lacks.

    Returns:
        ``<pad>`` is zero. Words that the file lacks, ``<unk>`` too, are drawn from the normal distribution
        with the mean and standard deviation of each dimension over the words found.

    Raises:
        MissingInputError: no such file.
        BadInputError: not text, a line with another number of values or with values that are no numbers, or
            no word of the vocabulary.

    Source:
        Pennington et al., EMNLP 2014 (format); the fill of missing words is common practice.
    """
    source = f"word vector file {str(path)!r}"
    rows: dict[int, np.ndarray] = {}
    size = 0
    try:
        with open(regular(Path(path)), encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, 1):
                parts = line.rstrip("\r\n ").split(" ")
                if number == 1 and len(parts) == 2 and all(part.isdigit() for part in parts):
                    continue
                size = size or len(parts) - 1
                # A word may hold spaces itself, so the numbers are counted from the end.
                word = " ".join(parts[:-size]) if size else ""
                if not word:
                    raise BadInputError(
                        f"{source}, line {number}: {max(size, 1)} numbers after a word expected"
                    )
                place = vocabulary.numbers.get(word)
                if place is not None and place not in rows:
                    rows[place] = _numbers(parts[-size:], source, number)
    except FileNotFoundError:
        raise MissingInputError(f"there is no {source}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{source} cannot be read ({error})") from None
    rows.pop(vocabulary.numbers[PADDING], None)
    if not rows:
        raise BadInputError(f"{source} holds no word of the vocabulary")
    return _filled(rows, len(vocabulary), vocabulary.numbers[PADDING], seed)


def _numbers(parts: list[str], source: str, line: int) -> np.ndarray:
    try:
        values = np.array(parts, np.float32)
    except ValueError:
        values = np.array([np.nan])
    if not np.isfinite(values).all():
        raise BadInputError(f"{source}, line {line}: {len(parts)} numbers after a word expected")
    return values


def _filled(rows: dict[int, np.ndarray], n_words: int, padding: int, seed: int) -> WordVectors:
    known = np.stack(list(rows.values()))
    drawn = np.random.default_rng(seed).standard_normal((n_words, known.shape[1]))
    matrix = (known.mean(0) + known.std(0) * drawn).astype(np.float32)
    matrix[list(rows)] = known
    matrix[padding] = 0
    found = np.zeros(n_words, bool)
    found[list(rows)] = True
    return WordVectors(matrix, found)
