"""Tags in pickled numpy files: what other programs write is read, and no code of a file runs."""

import pickle
from collections import OrderedDict

import numpy as np
import pytest

from tests.data.folders import picture, write
from wsstool.data.dataset import open_dataset
from wsstool.data.formats.tags import npy
from wsstool.errors import BadInputError, MissingInputError


class Bomb:
    """Runs a command when it is unpickled the ordinary way."""

    def __reduce__(self):
        return print, ("boom",)


class Pairs:
    """Pickled as a dictionary with one key."""

    def __init__(self, key):
        self.key = key

    def __reduce__(self):
        return dict, ([(self.key, [0, 1])],)


class TestNpy:
    @pytest.mark.parametrize("protocol", range(6))
    @pytest.mark.parametrize("dtype", ["float32", "uint8", ">i8", "bool"])
    def test_every_pickle_protocol(self, tmp_path, protocol, dtype):
        table = {"a": np.array([1, 0, 1]).astype(dtype), "b": np.asfortranarray(np.zeros(3, dtype))}
        self.save(tmp_path / "cls_labels.npy", table, protocol)
        assert npy.read(tmp_path / "cls_labels.npy").rows == {"a": ("class-1", "class-3"), "b": ()}

    @staticmethod
    def save(path, value, protocol=4):
        """As numpy.save writes an object, with the pickle protocol of any age."""
        array = np.empty((), object)
        array[()] = value
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
            pickle.dump(array, file, protocol=protocol)

    def test_numpy_s_own_writing(self, tmp_path):
        np.save(tmp_path / "cls_labels.npy", {"a": np.ones(2), np.str_("b"): [0, 1]}, allow_pickle=True)
        assert npy.read(tmp_path / "cls_labels.npy").rows == {"a": ("class-1", "class-2"), "b": ("class-2",)}

    def test_keys_that_are_numbers(self, tmp_path):
        table = OrderedDict({2007000032: np.eye(20, dtype=np.float32)[14], np.int64(139): np.zeros(20)})
        self.save(tmp_path / "cls_labels.npy", table)
        assert npy.read(tmp_path / "cls_labels.npy").rows == {"2007_000032": ("person",), "000000000139": ()}

    def test_vectors_over_all_classes_or_the_foreground(self, tmp_path):
        picture(tmp_path / "images/a.jpg")
        write(tmp_path / "classes.txt", "0 background\n1 cat\n2 dog\n")
        for vector in ([0, 1], [1, 0, 1]):
            self.save(tmp_path / "cls_labels.npy", {"a": np.array(vector)})
            data = open_dataset(tmp_path)
            assert data.layout == "npy" and data.labels.tolist() == [[0, 0, 1]]
        self.save(tmp_path / "cls_labels.npy", {"a": np.array([1, 0, 1, 1])})
        with pytest.raises(BadInputError, match="vectors for 4 classes, but the class list has 2"):
            open_dataset(tmp_path)

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (Bomb(), r"refers to builtins\.print"),
            ({"a": Bomb()}, r"refers to builtins\.print"),
            ({"a": np.array([2, 0])}, "instead of a vector of 0 and 1"),
            ({"a": "cat"}, "instead of a vector"),
            ({"a": np.zeros((2, 2))}, "instead of a vector"),
            ({"a": np.zeros(2), "b": np.zeros(3)}, "vectors for 2 and 3 classes"),
            ({}, "vectors for no classes"),
            ([1, 2], "contains a list"),
            ({"a": np.zeros(2, "M8[s]")}, "array of type 'M8'"),
        ],
    )
    def test_refused(self, tmp_path, value, message, capsys):
        self.save(tmp_path / "cls_labels.npy", value)
        with pytest.raises(BadInputError, match=message):
            npy.read(tmp_path / "cls_labels.npy")
        assert capsys.readouterr().out == ""

    @pytest.mark.parametrize("container", [tuple, list, "key"])
    @pytest.mark.parametrize("protocol", [2, 4])
    def test_a_pickle_that_refers_to_itself_forty_times_over(self, tmp_path, container, protocol):
        """200 bytes with a trillion ends: hashing, printing or converting it would never come back."""
        make = tuple if container == "key" else container
        nested = make([1])
        for _ in range(40):
            nested = make([nested, nested])
        value = Pairs(nested) if container == "key" else {"a": nested}
        self.save(tmp_path / "cls_labels.npy", value, protocol)
        with pytest.raises(BadInputError):
            npy.read(tmp_path / "cls_labels.npy")

    def test_damaged(self, tmp_path):
        path = tmp_path / "cls_labels.npy"
        self.save(path, {"a": np.ones(200)})
        whole = path.read_bytes()
        generator = np.random.default_rng(0)
        for _ in range(200):
            broken = bytearray(whole[: generator.integers(len(whole))])
            for k in generator.integers(0, max(len(broken), 1), 3):
                broken[k : k + 1] = bytes([generator.integers(256)])
            path.write_bytes(bytes(broken))
            with pytest.raises(BadInputError):
                npy.read(path)
        np.save(path, np.zeros(3))
        with pytest.raises(BadInputError, match="not a dictionary"):
            npy.read(path)
        with pytest.raises(MissingInputError):
            npy.read(tmp_path / "gone.npy")
