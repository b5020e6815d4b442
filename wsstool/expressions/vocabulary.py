"""The words that a network knows, and sentences as their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wsstool.errors import BadInputError
from wsstool.expressions.tokenizer import MAX_WORDS, tokenize

PADDING, UNKNOWN = "<pad>", "<unk>"


@dataclass(frozen=True)
class Vocabulary:
    """A list of words; the number of a word is its place.

    Args:
        words: ``<pad>`` (0), ``<unk>`` (1), then the known words, each once.

    Raises:
        BadInputError: another beginning, a word twice, or something that is not a word.
    """

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.words[:2] != (PADDING, UNKNOWN):
            raise BadInputError(f"a vocabulary begins with {PADDING} and {UNKNOWN}")
        odd = next((word for word in self.words if not isinstance(word, str) or not word), None)
        if odd is not None:
            raise BadInputError(f"the vocabulary holds {odd!r}, which is not a word")
        if len(self.numbers) < len(self.words):
            twice = Counter(self.words).most_common(1)[0][0]
            raise BadInputError(f"the vocabulary holds the word {twice!r} twice")

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Word -> its number."""
        return {word: number for number, word in enumerate(self.words)}

    @classmethod
    def of_sentences(cls, sentences: Iterable[str], *, at_least: int = 1) -> Vocabulary:
        """Collect the words of the sentences of a training split.

        Args:
            sentences: all sentences; equal sentences count each time.
            at_least: how often a word must occur to be known.

        Returns:
            The words by falling frequency, words of equal frequency in alphabetical order, so that the result
            does not depend on the order of the sentences.

        Example:
            >>> Vocabulary.of_sentences(["red star", "blue star"]).words
            ('<pad>', '<unk>', 'star', 'blue', 'red')
        """
        counts = Counter(word for sentence in sentences for word in tokenize(sentence))
        known = [word for word, n in counts.items() if n >= at_least]
        return cls((PADDING, UNKNOWN, *sorted(known, key=lambda word: (-counts[word], word))))

    def encode(self, sentence: str) -> np.ndarray:
        """Return the numbers of the first 20 words of a sentence, padded on the left.

        Returns:
            (20,) int64.

        Raises:
            BadInputError: a sentence without words.

        Example:
            >>> Vocabulary.of_sentences(["red star"]).encode("Red moon.")[-3:]
            array([0, 2, 1])
        """
        found = [self.numbers.get(word, self.numbers[UNKNOWN]) for word in tokenize(sentence)[:MAX_WORDS]]
        if not found:
            raise BadInputError(f"the sentence {sentence!r} has no words")
        row = np.full(MAX_WORDS, self.numbers[PADDING], np.int64)
        row[-len(found) :] = found
        return row

    def encode_all(self, sentences: Sequence[str]) -> np.ndarray:
        """Encode several sentences, (S, 20) int64."""
        return np.array([self.encode(one) for one in sentences], np.int64).reshape(-1, MAX_WORDS)

    def unknown(self, sentence: str) -> list[str]:
        """Return the words of a sentence that are not in the vocabulary."""
        return [word for word in tokenize(sentence) if word not in self.numbers]

    def to_list(self) -> list[str]:
        """Return the words as a plain list, for a weights file."""
        return list(self.words)

    @classmethod
    def from_list(cls, words: object) -> Vocabulary:
        """Restore a vocabulary from the list in a weights file.

        Raises:
            BadInputError: not a list, or not that of a vocabulary.
        """
        if not isinstance(words, list | tuple):
            raise BadInputError("the vocabulary is not a list of words")
        return cls(tuple(words))
