"""Pickles of plain values are read; everything else is refused by name and never run."""

import collections
import os
import pickle
import pickletools
import re

import numpy as np
import pytest

from wsstool.errors import BadInputError
from wsstool.expressions.restricted_pickle import loads

VALUE = [
    {"ref_id": 1, "sent": "caf\u00e9", "raw": b"bytes", "score": -0.5, "big": 10**30, "none": None},
    [True, False, 2**31, -3, 255, 256, 70000, [], {}, "", {"a": {1: [2.5]}}],
]

PLAIN = re.findall(
    r"\w+",
    """PROTO FRAME STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2
    LONG LONG1 LONG4
    FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES
    SHORT_BINBYTES BINBYTES8 EMPTY_LIST LIST APPEND APPENDS EMPTY_DICT DICT SETITEM SETITEMS
    PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET""",
)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_of_every_protocol(protocol):
    value = VALUE if protocol > 2 else [{k: v for k, v in VALUE[0].items() if k != "raw"}, VALUE[1]]
    assert loads(pickle.dumps(value, protocol), "file 'x'") == value


def test_one_value_in_two_places():
    shared = ["a"]
    found = loads(pickle.dumps([shared, shared], 2), "file 'x'")
    assert found == [["a"], ["a"]] and found[0] is found[1]


def test_byte_strings_of_python_2_are_latin_1():
    content = b"\x80\x02]q\x00(U\x04caf\xe9q\x01T\x01\x00\x00\x00xI7\nS'y'\nL12L\nF1.5\ne."
    assert loads(content, "file 'x'") == ["caf\u00e9", "x", 7, "y", 12, 1.5]


class Harmful:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


class TestRefused:
    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_code_is_named_and_never_run(self, tmp_path, protocol):
        content = pickle.dumps([{"sent": "x"}, Harmful(tmp_path / "made")], protocol)
        with pytest.raises(
            BadInputError, match=r"class or function '(posix|nt|os)\.mkdir'; only lists"
        ) as error:
            loads(content, "REFER file 'refs(unc).p'")
        assert str(error.value).startswith("REFER file 'refs(unc).p' holds the class or function")
        assert not (tmp_path / "made").exists()
        pickle.loads(content)  # the same bytes do run where nothing is refused
        assert (tmp_path / "made").exists()

    def test_old_instances_are_named(self):
        with pytest.raises(BadInputError, match=r"'os\.system'"):
            loads(b"(S'true'\nios\nsystem\n.", "file 'x'")

    @pytest.mark.parametrize(
        ("value", "name"),
        [
            (np.zeros(2), "numpy"),
            (np.float32(1), "numpy"),
            (collections.OrderedDict(a=1), r"collections\.OrderedDict"),
            (collections.Counter("a"), r"collections\.Counter"),
            (1j, "complex"),
            (range(3), "range"),
        ],
    )
    @pytest.mark.parametrize("protocol", [0, 2, 4])
    def test_classes_are_named(self, value, name, protocol):
        with pytest.raises(BadInputError, match=f"holds the class or function '.*{name}"):
            loads(pickle.dumps([value], protocol), "file 'x'")

    @pytest.mark.parametrize(
        ("value", "protocol", "name"),
        [
            ((), 2, "a tuple"),
            ((1,), 2, "a tuple"),
            ((1, 2, 3, 4), 0, "a tuple"),
            ({1}, 4, "a set"),
            (frozenset({1}), 4, "a set"),
            (bytearray(b"x"), 5, "instruction 150"),
        ],
    )
    def test_other_values_are_named(self, value, protocol, name):
        with pytest.raises(BadInputError, match=f"holds .*{name}; only lists"):
            loads(pickle.dumps([value], protocol), "file 'x'")

    def test_every_other_instruction_is_refused(self):
        """Each instruction of the standard library that is not plain, after some values to work on."""
        others = [op for op in pickletools.opcodes if op.name not in PLAIN]
        assert {"GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "INST", "EXT1", "PERSID"} <= {
            o.name for o in others
        }
        for op in others:
            with pytest.raises(BadInputError, match=r"^file 'x' holds .*; only lists"):
                loads(b"(]]\x8c\x02os\x8c\x06system" + op.code.encode("latin-1") + b"a\nb\n.", "file 'x'")

    def test_an_instruction_that_asks_for_much_memory_fails(self):
        with pytest.raises(BadInputError, match="no pickle that can be read"):
            loads(b"]\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", "file 'x'")
        assert loads(b"]r\xff\xff\xff\xff.", "file 'x'") == []  # a place in the memo costs nothing

    @pytest.mark.parametrize(
        "content", [b"", b"\x80\x02]", b"\x80\x09.", b"hello", b"]K\x01s.", b"a.", b"\x80"]
    )
    def test_damaged_pickles(self, content):
        with pytest.raises(BadInputError, match=r"^file 'x' (is no pickle|holds)"):
            loads(content, "file 'x'")

    def test_every_cut_of_a_pickle(self):
        content = pickle.dumps(VALUE, 4)
        for end in range(len(content)):
            with pytest.raises(BadInputError):
                loads(content[:end], "file 'x'")
