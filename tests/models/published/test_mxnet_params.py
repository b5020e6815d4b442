"""MXNet parameter files: every version comes back; cut, flipped and random bytes are refused."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from tests.models.published.tissue import mxnet_name
from wsstool.errors import BadInputError, MissingInputError
from wsstool.models.backbones import build_backbone, plain_shapes
from wsstool.models.initial_weights import load_backbone
from wsstool.models.published.mxnet_params import TYPES, V1, V2, V3, is_mxnet, read_params
from wsstool.models.recognise import describe_weights
from wsstool.models.weights import load_weights

LEGACY = 0
VERSIONS = (LEGACY, V1, V2, V3)


def array_bytes(array: np.ndarray, version: int, *, storage: int = 0) -> bytes:
    """One array as MXNet stores it: legacy shapes have 32 bits and no magic word."""
    if version == LEGACY:
        head = struct.pack(f"<I{array.ndim}I", array.ndim, *array.shape)
    else:
        kind = struct.pack("<i", storage) if version in (V2, V3) else b""
        head = struct.pack("<I", version) + kind + struct.pack(f"<i{array.ndim}q", array.ndim, *array.shape)
    number = [np.dtype(t) for t in TYPES].index(array.dtype)
    return head + struct.pack("<iii", 1, 0, number) + array.tobytes()


def list_bytes(arrays: dict[str, np.ndarray], version: int = V2) -> bytes:
    parts = [struct.pack("<QQQ", 0x112, 0, len(arrays))]
    parts += [array_bytes(a, version) for a in arrays.values()]
    parts.append(struct.pack("<Q", len(arrays)))
    parts += [struct.pack("<Q", len(name.encode())) + name.encode() for name in arrays]
    return b"".join(parts)


ARRAYS = {
    "arg:conv1a_weight": np.arange(64 * 27, dtype=np.float32).reshape(64, 3, 3, 3),
    "aux:bn7_moving_var": np.linspace(0, 1, 4096, dtype=np.float64),
    "arg:linear1000_weight": np.ones((2, 3), np.float16),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_written_comes_back(tmp_path: Path, version: int) -> None:
    path = tmp_path / "x.params"
    path.write_bytes(list_bytes(ARRAYS, version))
    found = read_params(path)
    assert list(found) == list(ARRAYS) and is_mxnet(path)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype and np.array_equal(found[name], array)


@pytest.mark.parametrize("dtype", TYPES)
def test_every_type(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "x.params"
    path.write_bytes(list_bytes({"a": np.array([[0, 1, 1]], dtype)}))
    assert read_params(path)["a"].tolist() == [[0, 1, 1]]


def test_scalars_and_empty_arrays(tmp_path: Path) -> None:
    path = tmp_path / "x.params"
    path.write_bytes(list_bytes({"s": np.float32(3).reshape(()), "e": np.zeros((0, 4), np.float32)}, V3))
    found = read_params(path)
    assert found["s"].item() == 3 and found["e"].shape == (0, 4)
    nothing = (
        struct.pack("<QQQ", 0x112, 0, 1) + struct.pack("<Iii", V2, 0, 0) + struct.pack("<QQ", 1, 1) + b"n"
    )
    path.write_bytes(nothing)
    assert read_params(path)["n"].size == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_cut_anywhere(tmp_path: Path, version: int) -> None:
    path = tmp_path / "x.params"
    data = list_bytes({"arg:a": np.ones((2, 3), np.float32), "arg:b": np.ones(1, np.float32)}, version)
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(BadInputError, match=r"x\.params"):
            read_params(path)
    path.write_bytes(data + b"more")
    with pytest.raises(BadInputError, match="extra bytes"):
        read_params(path)


def test_garbage_never_crashes_nor_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.params"
    rng = np.random.default_rng(0)
    data = list_bytes({"arg:a": np.ones((2, 3), np.float32), "arg:b": np.ones(1, np.float32)})
    refused = 0
    for i in range(400):
        broken = bytearray(data)
        start = 0 if i % 2 else 8
        for place in rng.integers(start, len(data), 3):
            broken[place] = rng.integers(256)
        path.write_bytes(broken)
        try:
            read_params(path)
        except BadInputError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 200


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "8 bytes announced"),
        (struct.pack("<QQQ", 0x112, 0, 2**60), "more than the file can hold"),
        (struct.pack("<QQQ", 0x113, 0, 0), "wrong magic word"),
        (
            struct.pack("<QQQ", 0x112, 0, 1) + array_bytes(np.ones(1, np.float32), V2, storage=1),
            "storage type 1",
        ),
        (
            struct.pack("<QQQ", 0x112, 0, 1) + array_bytes(np.ones(1, np.float32), V2) + bytes(8),
            "have 0 names",
        ),
        (struct.pack("<QQQIii", 0x112, 0, 1, V2, 0, 1) + struct.pack("<q", -5), "shape"),
        (struct.pack("<QQQI", 0x112, 0, 1, 77), "77 dimensions"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "x.params").write_bytes(data)
    with pytest.raises(BadInputError, match=says):
        read_params(tmp_path / "x.params")


def test_no_file(tmp_path: Path) -> None:
    assert not is_mxnet(tmp_path / "x.params")
    with pytest.raises(MissingInputError):
        read_params(tmp_path / "x.params")


def test_as_start_weights(tmp_path: Path) -> None:
    path = tmp_path / "x.params"
    path.write_bytes(list_bytes(ARRAYS))
    state = load_weights(path).state_dict
    assert list(state) == ["conv1a.weight", "bn7.running_var"]
    assert (
        state["conv1a.weight"][63, 2, 2, 2] == 64 * 27 - 1
        and state["bn7.running_var"].dtype.is_floating_point
    )
    assert describe_weights(path)["tensors"] == 2
    with pytest.raises(BadInputError, match=r"missing: b2\.bn_branch2a\.weight"):
        load_backbone(build_backbone("resnet38d"), load_weights(path), path)


@pytest.mark.slow
def test_a_whole_file_starts_the_network(tmp_path: Path) -> None:
    """Values in one byte each keep the file at 105 MB."""
    arrays: dict[str, np.ndarray] = {"arg:linear1000_bias": np.zeros(1000, np.uint8)}
    for i, (key, shape) in enumerate(plain_shapes("resnet38d").items()):
        if not key.endswith("num_batches_tracked"):
            arrays[mxnet_name(key)] = np.full(shape, i % 200, np.uint8)
    path = tmp_path / "ilsvrc.params"
    path.write_bytes(list_bytes(arrays, LEGACY))
    backbone = build_backbone("resnet38d")
    load_backbone(backbone, load_weights(path), path)
    for i, (key, value) in enumerate(backbone.state_dict().items()):
        assert key.endswith("num_batches_tracked") or (value == i % 200).all(), key
    assert describe_weights(path)["fits"] == ["resnet38d"]
