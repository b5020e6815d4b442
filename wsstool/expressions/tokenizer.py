"""Split sentences into words as the referring-segmentation code bases do, for every script."""

from __future__ import annotations

import unicodedata
from functools import cache

MAX_WORDS = 20
"""Words of a sentence that a network reads; the rest is cut."""

_FULL_STOPS = (".", "。")
_JOINER = "\u200d"  # joins several emoji into one
_SKIN_TONES = ("\U0001f3fb", "\U0001f3ff")
_WITHOUT_SPACES = (("\u3040", "\u30ff"), ("\u3400", "\u9fff"), ("\U00020000", "\U0003ffff"))


def is_unicode(text: str) -> bool:
    """Return whether a text can be stored: bytes that are not UTF-8, and halves of characters, cannot.

    Example:
        >>> is_unicode("🙂"), is_unicode("\ud83d")
        (True, False)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def tokenize(sentence: str) -> list[str]:
    """Return the words of a sentence, all of them.

    The text is lower-cased and split at non-word characters. Runs of punctuation between words are words of
    their own, as in the published vocabularies; a full stop at the end is dropped. An emoji or another symbol
    is a word; so is each Chinese or Japanese character, since these scripts do not separate words. Vowel
    signs and accents belong to their letter.

    Args:
        sentence: any text; the empty text has no words.

    Source:
        Feng et al., CVPR 2020, preprocessing of BRINet; written from its description.

    Example:
        >>> tokenize("The man's shirt, left."), tokenize("नमस्ते 🙂 红车")
        (['the', 'man', "'", 's', 'shirt', ',', 'left'], ['नमस्ते', '🙂', '红', '车'])
    """
    words: list[str] = []
    before = "space"
    for character in unicodedata.normalize("NFC", sentence.lower()):
        kind = _kind(character)
        if kind == "mark":
            if before != "space":
                words[-1] += character
            continue
        is_joined = before == kind and kind in ("letter", "punctuation")
        is_joined |= before == kind == "symbol" and words[-1].endswith(_JOINER)
        if is_joined:
            words[-1] += character
        elif kind != "space":
            words.append(character)
        before = kind
    return words[:-1] if words and words[-1] in _FULL_STOPS else words


@cache
def _kind(character: str) -> str:
    """Return how a character forms words: letter, sign, punctuation, symbol, mark or space."""
    category = unicodedata.category(character)
    if category[0] == "M" or category == "Cf" or _SKIN_TONES[0] <= character <= _SKIN_TONES[1]:
        return "mark"
    if any(first <= character <= last for first, last in _WITHOUT_SPACES):
        return "sign"
    if category[0] in "LN" or character == "_":
        return "letter"
    if category[0] == "P":
        return "punctuation"
    return "space" if category[0] == "Z" or category == "Cc" else "symbol"
