"""Unpickle lists, dictionaries, texts and numbers, and nothing else: no other instruction is run.

A pickle is a program that can call any function. The published REFER files hold plain values only, so that
every instruction beyond those is refused before it does anything.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, NoReturn

from wsstool.errors import BadInputError

_PLAIN = {
    *(pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK, pickle.POP, pickle.POP_MARK, pickle.DUP),
    *(pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE),
    *(pickle.INT, pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG, pickle.LONG1, pickle.LONG4),
    *(pickle.FLOAT, pickle.BINFLOAT),
    *(pickle.STRING, pickle.BINSTRING, pickle.SHORT_BINSTRING),
    *(pickle.UNICODE, pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINUNICODE8),
    *(pickle.BINBYTES, pickle.SHORT_BINBYTES, pickle.BINBYTES8),
    *(pickle.EMPTY_LIST, pickle.LIST, pickle.APPEND, pickle.APPENDS),
    *(pickle.EMPTY_DICT, pickle.DICT, pickle.SETITEM, pickle.SETITEMS),
    *(pickle.PUT, pickle.BINPUT, pickle.LONG_BINPUT, pickle.MEMOIZE),
    *(pickle.GET, pickle.BINGET, pickle.LONG_BINGET),
}
_NAMES = {pickle.GLOBAL, pickle.STACK_GLOBAL, pickle.INST}
"""Instructions that look a class or function up by name; they reach ``find_class``, which refuses it."""

_OTHERS = {
    **dict.fromkeys(
        (pickle.TUPLE, pickle.EMPTY_TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3), "a tuple"
    ),
    **dict.fromkeys((pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET), "a set"),
    **dict.fromkeys((pickle.REDUCE, pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.BUILD), "an object"),
    **dict.fromkeys((pickle.EXT1, pickle.EXT2, pickle.EXT4), "a registered class"),
    **dict.fromkeys((pickle.PERSID, pickle.BINPERSID), "a reference to something outside"),
}


def loads(content: bytes, source: str) -> Any:
    """Return the value of a pickle of lists, dictionaries, texts, bytes, numbers, booleans and None.

    Args:
        content: the pickle, of any protocol; byte strings of Python 2 are read as Latin-1.
        source: name of the file in messages.

    Raises:
        BadInputError: anything else, by name; or a truncated or damaged pickle.
    """
    try:
        return _PlainUnpickler(io.BytesIO(content), encoding="latin-1").load()
    except _RefusedError as error:
        raise BadInputError(
            f"{source} holds {error}; only lists, dictionaries, texts and numbers are read from a pickle"
        ) from None
    except MemoryError:
        raise
    except Exception as error:  # the instructions of a damaged pickle fail in every way
        raise BadInputError(
            f"{source} is no pickle that can be read ({str(error) or type(error).__name__})"
        ) from None


class _RefusedError(Exception):
    pass


class _Instructions(dict[int, Any]):
    """The instructions that are run; every other one is refused."""

    def __missing__(self, code: int) -> NoReturn:
        raise _RefusedError(_OTHERS.get(bytes([code]), f"the unknown instruction {code}"))


class _PlainUnpickler(pickle._Unpickler):  # the Python version: its table of instructions can be replaced
    dispatch = _Instructions(
        {code: run for code, run in pickle._Unpickler.dispatch.items() if bytes([code]) in _PLAIN | _NAMES}
    )

    def find_class(self, module: str, name: str) -> NoReturn:
        raise _RefusedError(f"the class or function '{module}.{name}'")
