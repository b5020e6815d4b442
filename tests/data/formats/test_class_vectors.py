"""Class vectors: what is read, and one sentence for every other file."""

from __future__ import annotations

import numpy as np
import pytest

from wsstool.data.formats.class_vectors import read_class_vectors
from wsstool.errors import BadInputError, MissingInputError

NAMES = np.array(["cat", "sky", "potted plant", "Background"])
VECTORS = np.arange(8.0).reshape(4, 2) - 2


def written(tmp_path, **arrays):
    path = tmp_path / "v.npz"
    np.savez(path, **{"names": NAMES, "vectors": VECTORS, **arrays})
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_background_vectors_are_no_classes(tmp_path, save):
    save(tmp_path / "v.npz", names=NAMES, vectors=VECTORS.astype(np.float16), background=np.array(["sky"]))
    found = read_class_vectors(tmp_path / "v.npz")
    assert found.names == ("cat", "potted plant")
    assert found.vectors.dtype == np.float32
    np.testing.assert_array_equal(found.vectors, VECTORS[[0, 2]])
    np.testing.assert_array_equal(found.background, VECTORS[[1, 3]])


def test_without_background(tmp_path):
    found = read_class_vectors(written(tmp_path, names=NAMES[:3], vectors=VECTORS[:3]))
    assert found.names == ("cat", "sky", "potted plant") and found.background.shape == (0, 2)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"names": np.array(["a", "b", "a", "c"])}, "names contains 'a' twice"),
        ({"names": np.array(["a", "b", " ", "c"])}, "names contains an empty text"),
        ({"names": np.arange(4)}, "names must be a list of texts, not int64"),
        ({"names": NAMES[:3]}, r"shape \(3, D\), one row per name, not float64 of shape \(4, 2\)"),
        ({"names": NAMES.astype(object)}, "contains Python objects and was not opened, for safety"),
        ({"vectors": VECTORS.astype(object)}, "contains Python objects"),
        ({"vectors": VECTORS.astype(str)}, "vectors must be numbers"),
        ({"vectors": VECTORS[:, 0]}, "vectors must be numbers"),
        ({"vectors": VECTORS[:, :0]}, "vectors must be numbers"),
        ({"vectors": VECTORS * [[1], [0], [1], [1]]}, "the vector of 'sky' is zero"),
        (
            {"vectors": VECTORS + np.array([[0], [0], [np.nan], [0]])},
            "of 'potted plant' contains values that are not",
        ),
        ({"vectors": VECTORS * 1e300}, "of 'cat' contains values that are not finite"),
        ({"background": np.array(["sea"])}, "background lists 'sea', which is not among the names"),
        ({"background": NAMES[:3]}, "all names are background"),
    ],
)
def test_refusals(tmp_path, arrays, says):
    with pytest.raises(BadInputError, match=says):
        read_class_vectors(written(tmp_path, **arrays))


def test_other_files(tmp_path):
    with pytest.raises(MissingInputError, match="there is no file"):
        read_class_vectors(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", labels=NAMES)
    with pytest.raises(
        BadInputError, match="has no array 'names'; it needs names and vectors, and has: labels"
    ):
        read_class_vectors(tmp_path / "other.npz")
    np.save(tmp_path / "v.npy", VECTORS)
    with pytest.raises(BadInputError, match="damaged or not an npz"):
        read_class_vectors(tmp_path / "v.npy")
    whole = written(tmp_path).read_bytes()
    for kept in (len(whole) // 2, len(whole) - 30):
        (tmp_path / "cut.npz").write_bytes(whole[:kept])
        with pytest.raises(BadInputError, match="damaged or not an npz"):
            read_class_vectors(tmp_path / "cut.npz")
    flipped = bytearray(whole)
    flipped[whole.index(VECTORS[2].tobytes())] ^= 1
    (tmp_path / "flipped.npz").write_bytes(flipped)
    with pytest.raises(BadInputError, match="damaged or not an npz"):
        read_class_vectors(tmp_path / "flipped.npz")
