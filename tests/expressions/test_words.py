"""Words of sentences, the vocabulary and published word vectors."""

import gzip
import json
import re

import numpy as np
import pytest

from wsstool.errors import BadInputError, MissingInputError
from wsstool.expressions.tokenizer import MAX_WORDS, tokenize
from wsstool.expressions.vocabulary import PADDING, UNKNOWN, Vocabulary
from wsstool.expressions.word_vectors import read_word_vectors


def published_rule(sentence):
    """The rule of the published preprocessing, for ASCII: split at runs of non-word characters, keep them."""
    words = [part.strip() for part in re.split(r"(\W+)", sentence.lower()) if part.strip()]
    return words[:-1] if words and words[-1] == "." else words


class TestTokenizer:
    @pytest.mark.parametrize(
        ("sentence", "words"),
        [
            ("The Man on the LEFT.", "the man on the left"),
            ("man's orange-and-black shirt, left", "man ' s orange - and - black shirt , left"),
            ("left...", "left ..."),
            ("a_b 3rd", "a_b 3rd"),
            ("  \t ", ""),
            (".", ""),
            ("Привет, мир。", "привет , мир"),
            ("नमस्ते दुनिया", "नमस्ते दुनिया"),
            ("รถสีแดง", "รถสีแดง"),
            ("红色的车", "红 色 的 车"),
            ("الكرة الحمراء", "الكرة الحمراء"),
            ("🙂🙂 left ❤️", "🙂 🙂 left ❤️"),
            ("👩\u200d🚀👍🏽!", "👩\u200d🚀 👍🏽 !"),
            ("\u200d\u0301 x", "x"),
        ],
    )
    def test_words(self, sentence, words):
        assert tokenize(sentence) == words.split()

    def test_composed_and_decomposed_letters_are_one_word(self):
        assert tokenize("caf\u00e9") == tokenize("cafe\u0301") == ["caf\u00e9"]

    def test_of_many_human_sentences_are_those_of_the_published_rule(self, shared):
        path = shared / "data/referring/sentences/refcoco.jsonl.gz"
        with gzip.open(path, "rt", encoding="utf-8") as file:
            texts = [text for line in file for text in json.loads(line)["sentences"]]
        plain = [
            text
            for text in texts
            if text.isascii() and not re.search(r"[^\w\s][\s]+[^\w\s]|[<>=+$^`|~]", text)
        ]
        assert len(texts) == 21586 and len(plain) > 21000
        assert [tokenize(text) for text in plain] == [published_rule(text) for text in plain]


class TestVocabulary:
    sentences = ("red star", "the red crate.", "star left", "red")

    def test_words_fall_in_frequency_and_do_not_depend_on_the_order(self):
        found = Vocabulary.of_sentences(self.sentences)
        assert found.words == (PADDING, UNKNOWN, "red", "star", "crate", "left", "the")
        assert Vocabulary.of_sentences(reversed(self.sentences)) == found

    def test_rare_words_are_unknown(self):
        found = Vocabulary.of_sentences(self.sentences, at_least=2)
        assert found.words == (PADDING, UNKNOWN, "red", "star")
        assert found.unknown("the red crate, red") == ["the", "crate", ","]

    def test_sentences_are_padded_on_the_left_and_cut(self):
        found = Vocabulary.of_sentences(self.sentences)
        row = found.encode("Red moon.")
        assert row.dtype == np.int64 and row.tolist() == [0] * 18 + [2, 1]
        long = found.encode("red " * 19 + "star crate left")
        assert long.tolist() == [2] * 19 + [3]
        assert found.encode_all(["red", "star"]).shape == (2, MAX_WORDS)
        assert found.encode_all([]).shape == (0, MAX_WORDS)

    def test_three_hundred_words(self):
        assert (Vocabulary.of_sentences(["red"]).encode("red " * 300) == 2).all()

    @pytest.mark.parametrize("text", ["", "  ", "."])
    def test_an_empty_sentence_is_refused(self, text):
        with pytest.raises(BadInputError, match=r"has no words$"):
            Vocabulary.of_sentences(self.sentences).encode(text)

    def test_travels_as_a_plain_list(self):
        found = Vocabulary.of_sentences(["红车 🙂", "left"])
        plain = json.loads(json.dumps(found.to_list()))
        assert Vocabulary.from_list(plain) == found and plain[:2] == ["<pad>", "<unk>"]

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (None, "not a list"),
            ("<pad>", "not a list"),
            (["red"], "begins with <pad> and <unk>"),
            ([PADDING, UNKNOWN, "a", "a"], "the word 'a' twice"),
            ([PADDING, UNKNOWN, 3], "holds 3, which is not a word"),
        ],
    )
    def test_what_is_no_vocabulary_is_refused(self, words, message):
        with pytest.raises(BadInputError, match=message):
            Vocabulary.from_list(words)


class TestWordVectors:
    words = Vocabulary.of_sentences(["red star left"])

    def file(self, tmp_path, text):
        path = tmp_path / "vectors.txt"
        path.write_text(text, encoding="utf-8")
        return path

    def test_rows_of_the_words(self, tmp_path):
        text = "the 9 9 9\nred 1 2 3\n. . . 4 4 4\nstar -1 0 1e-1\nred 7 7 7\n"
        found = read_word_vectors(self.file(tmp_path, text), self.words)
        assert found.matrix.shape == (5, 3) and found.matrix.dtype == np.float32
        place = self.words.numbers
        assert found.matrix[place["red"]].tolist() == [1, 2, 3]
        assert np.allclose(found.matrix[place["star"]], [-1, 0, 0.1])
        assert not found.matrix[place[PADDING]].any()
        assert [self.words.words[k] for k in np.flatnonzero(found.found)] == ["red", "star"]
        assert found.matrix[place["left"]].any() and found.matrix[place[UNKNOWN]].any()

    def test_missing_words_follow_the_seed(self, tmp_path):
        path = self.file(tmp_path, "red 1 2\nstar 3 5\n")
        one, same, other = (read_word_vectors(path, self.words, seed=s).matrix for s in (1, 1, 2))
        assert np.array_equal(one, same) and not np.array_equal(one, other)
        wide = Vocabulary.of_sentences([f"w{k}" for k in range(4000)] + ["red", "star"])
        drawn = read_word_vectors(path, wide)
        rest = drawn.matrix[1:][~drawn.found[1:]]
        assert np.allclose(rest.mean(0), [2, 3.5], atol=0.1) and np.allclose(rest.std(0), [1, 1.5], atol=0.1)

    def test_a_first_line_of_two_counts_is_skipped(self, tmp_path):
        found = read_word_vectors(self.file(tmp_path, "2 3\nred 1 2 3\nmoon 1 1 1\n"), self.words)
        assert found.matrix.shape == (5, 3)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("moon 1 2\n", "holds no word of the vocabulary"),
            ("", "holds no word of the vocabulary"),
            ("red 1 2\nstar 3\n", "line 2: 2 numbers after a word expected"),
            ("red 1 2\nstar 3 x\n", "line 2: 2 numbers after a word expected"),
            ("red 1 nan\n", "line 1: 2 numbers after a word expected"),
            ("red\n", "line 1: 1 numbers after a word expected"),
        ],
    )
    def test_a_file_of_another_form_is_refused(self, tmp_path, text, message):
        with pytest.raises(BadInputError, match=message):
            read_word_vectors(self.file(tmp_path, text), self.words)

    def test_no_such_file(self, tmp_path):
        with pytest.raises(MissingInputError, match="there is no word vector file"):
            read_word_vectors(tmp_path / "no.txt", self.words)
