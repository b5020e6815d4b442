"""Tags in ``cls_labels.npy``, a common format in the field: a pickled dictionary of vectors.

A pickle can run any code when it is loaded. Here none runs: the names that the pickle requests are resolved
to plain stand-ins for numpy arrays and to builtin containers, and everything else is refused. Not to
numpy's own classes: they allocate memory for any shape that a file claims, and a made-up state crashes the
process (``numpy.ndarray.__setstate__`` with a dtype that holds objects).
"""

from __future__ import annotations

import io
import math
import pickle
import re
import reprlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from wsstool.annotation_file import is_found, regular
from wsstool.data.classlist import with_background
from wsstool.data.formats import Tags
from wsstool.data.formats.voc import VOC_NAMES, voc_classes
from wsstool.errors import BadInputError, MissingInputError
from wsstool.types import ClassList

_MOST_ENDS = 4096
_SAFE_DTYPE = re.compile(r"[<>=|]?([biuf][1248]|U\d{1,4}|f16|O8?|\?)")


def candidates(root: Path) -> list[Path]:
    return [path for path in [root / "cls_labels.npy"] if is_found(path)]


def read(path: Path, classes: ClassList | None = None) -> Tags:
    """Read a ``cls_labels.npy``: image name -> vector of 0 and 1 over all classes or the foreground classes.

    Keys that are numbers are VOC names without their underscore (2007000032), or COCO image numbers. Without
    a class list, vectors of 20 are VOC's classes; others get the names ``class-1``, ``class-2``, ...

    Raises:
        MissingInputError: no such file.
        BadInputError: damaged, not such a dictionary, or a pickle with anything but arrays and containers.
    """
    source = f"label file {str(path)!r}"
    table = load_dictionary(path)
    vectors = {_image_name(key): _vector(value, source) for key, value in table.items()}
    lengths = sorted({len(v) for v in vectors.values()})
    if len(lengths) != 1:
        raise BadInputError(f"{source} has vectors for {' and '.join(map(str, lengths[:3])) or 'no'} classes")
    if classes is None:
        names = [f"class-{i}" for i in range(1, lengths[0] + 1)]
        classes = voc_classes() if lengths[0] == len(VOC_NAMES) - 1 else with_background(names)
    ids = classes.foreground if lengths[0] == len(classes.foreground) else tuple(range(len(classes)))
    if lengths[0] != len(ids):
        raise BadInputError(
            f"{source} has vectors for {lengths[0]} classes, but the class list has "
            f"{len(classes.foreground)} besides the background"
        )
    rows = {name: tuple(classes.names[ids[k]] for k in np.flatnonzero(v)) for name, v in vectors.items()}
    return Tags(source, rows, classes)


def load_dictionary(path: Path) -> dict[Any, Any]:
    """Load the dictionary in a pickled ``.npy`` file, with real arrays, without running any code of the file.

    Raises:
        MissingInputError: no such file.
        BadInputError: see ``read``.
    """
    source = f"label file {str(path)!r}"
    try:
        with regular(path).open("rb") as file:
            version = np.lib.format.read_magic(file)
            header = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            _, _, dtype = header(file)
            if not dtype.hasobject:
                raise BadInputError(f"{source} contains an array of {dtype}, not a dictionary")
            found = _real(_Unpickler(io.BytesIO(file.read())).load())
    except FileNotFoundError:
        raise MissingInputError(f"there is no {source}") from None
    except pickle.UnpicklingError as error:
        raise BadInputError(f"{source} was not loaded: {error}") from None
    except BadInputError:
        raise
    except Exception as error:  # damaged pickles raise almost anything
        raise BadInputError(f"{source} is damaged ({error})") from None
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if not isinstance(found, dict):
        raise BadInputError(f"{source} contains a {type(found).__name__}, not a dictionary")
    return found


class _DType:
    """Stand-in for ``numpy.dtype`` that records its spelling."""

    def __init__(self, spec: str, *_: object) -> None:
        if not isinstance(spec, str) or not _SAFE_DTYPE.fullmatch(spec):
            raise pickle.UnpicklingError(f"it contains an array of type {spec!r}")
        self.spec = spec.lstrip("<>=|")
        self.order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1] if state[1] in ("<", ">") else "="

    def real(self) -> np.dtype:
        return np.dtype("O" if self.spec.startswith("O") else self.order + self.spec)


class _Array:
    """Stand-in for ``numpy.ndarray`` that holds bytes until they are known to fit the shape."""

    def __init__(self, *_: object) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def real(self) -> Any:
        _, shape, dtype, is_fortran, data = self.state
        if isinstance(data, list):
            return [_real(item) for item in data]
        array = np.frombuffer(data, dtype.real())
        if len(array) != math.prod(shape):
            raise pickle.UnpicklingError("an array does not fit its shape")
        return array.reshape(shape, order="F" if is_fortran else "C")


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _from_buffer(data: bytes, dtype: _DType, shape: tuple[int, ...], order: str) -> _Array:
    array = _Array()
    array.__setstate__((1, shape, dtype, order == "F", data))
    return array


def _scalar(dtype: _DType, data: bytes) -> Any:
    return np.frombuffer(data, dtype.real())[0].item()


def _encode(text: str, encoding: str) -> bytes:
    """Encode bytes as in old pickles."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"it uses the encoding {encoding!r}")
    return text.encode("latin-1")


def _bytes() -> bytes:
    return b""


_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy", "dtype"): _DType,
    ("numpy", "ndarray"): _Array,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): OrderedDict,
}
for _core in ("numpy.core", "numpy._core"):
    _ADMITTED[f"{_core}.multiarray", "_reconstruct"] = _reconstruct
    _ADMITTED[f"{_core}.multiarray", "scalar"] = _scalar
    _ADMITTED[f"{_core}.numeric", "_frombuffer"] = _from_buffer
for _module in ("builtins", "__builtin__"):
    for _container in (dict, list, tuple, set, frozenset):
        _ADMITTED[_module, _container.__name__] = _container
    _ADMITTED[_module, "bytes"] = _bytes


class _Unpickler(pickle._Unpickler):  # the Python version: its table of instructions can be replaced
    """Builds no tuple with many ends.

    A tuple that holds the one before it twice, forty times over, takes 200 bytes in a file and has a trillion
    ends; hashing it, as a key, never comes back.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self._ends: dict[int, tuple[Any, int]] = {}  # by id; the tuple is held so that its id stays its own

    def count_ends(self) -> None:
        """Count the ends of what was built last.

        Raises:
            UnpicklingError: too many.
        """
        made = self.stack[-1]  # type: ignore[attr-defined]
        if isinstance(made, tuple | frozenset):
            ends = 1 + sum(self._ends.get(id(one), (None, 1))[1] for one in made)
            if ends > _MOST_ENDS:
                raise pickle.UnpicklingError("it contains tuples of tuples without end")
            self._ends[id(made)] = made, ends

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(
                f"it refers to {module}.{name}, which is not allowed in a label file"
            )
        return _ADMITTED[module, name]


def _counted(code: int) -> Callable[[_Unpickler], None]:
    build: Callable[[_Unpickler], None] = pickle._Unpickler.dispatch[code]  # type: ignore[assignment]

    def load(unpickler: _Unpickler) -> None:
        build(unpickler)
        unpickler.count_ends()

    return load


for _code in (
    *(pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.FROZENSET),
    *(pickle.REDUCE, pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.OBJ, pickle.INST),
):
    _Unpickler.dispatch[_code[0]] = _counted(_code[0])


def _real(value: Any) -> Any:
    """Replace the stand-ins in a value by real arrays, up to two containers deep."""
    if isinstance(value, _Array):
        return value.real()
    if isinstance(value, dict):
        return {key: v.real() if isinstance(v, _Array) else v for key, v in value.items()}
    return value


def _image_name(key: Any) -> str:
    if isinstance(key, int):
        text = str(key)
        is_voc = len(text) == 10 and text[:2] in ("19", "20")
        return f"{text[:4]}_{text[4:]}" if is_voc else text.zfill(12)
    return str(key)


def _vector(value: Any, source: str) -> np.ndarray:
    is_flat = isinstance(value, list | tuple) and all(isinstance(one, int | float) for one in value)
    vector = np.asarray(value) if is_flat or isinstance(value, np.ndarray) else np.empty(0, object)
    if (
        vector.ndim != 1
        or not len(vector)
        or vector.dtype.kind not in "biuf"
        or not np.isin(vector, (0, 1)).all()
    ):
        is_nested = isinstance(value, list | tuple | set | frozenset | dict)
        shown = reprlib.repr(value) if is_nested else str(value)
        raise BadInputError(f"{source} contains {shown[:60]!r} instead of a vector of 0 and 1")
    return vector
