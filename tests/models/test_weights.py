"""Weights files: what is written comes back; what doesn't fit, is damaged or could run code is refused."""

from __future__ import annotations

import argparse
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.models.fan.test_published import by_numpy_1
from wsstool.errors import BadInputError, CannotWriteError, MissingInputError, WsstoolError
from wsstool.models.backbones import build_backbone
from wsstool.models.classifier import build_classifier
from wsstool.models.files.torch_file import load_safely
from wsstool.models.initial_weights import load_backbone
from wsstool.models.recognise import describe_weights
from wsstool.models.weights import (
    build_from_weights,
    described_shapes,
    load_state,
    load_weights,
    save_weights,
)

META = {"arch": "tiny", "task": "classification", "class_ids": [0, 2], "output_stride": 8, "pool": "max"}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build_classifier("tiny", 2, pool="max").eval()


@pytest.fixture
def saved(tmp_path: Path, model) -> Path:
    save_weights(tmp_path / "x.pth", model.state_dict(), META)
    return tmp_path / "x.pth"


def test_round_trip(saved: Path, model) -> None:
    again, meta = build_from_weights(saved)
    assert meta == META and not again.training
    x = torch.randn(1, 3, 32, 32)
    assert torch.equal(again(x), model(x))
    assert [p.name for p in saved.parent.iterdir()] == ["x.pth"]


def test_equal_contents_give_equal_bytes(saved: Path, model) -> None:
    save_weights(saved.with_name("other.pth"), model.state_dict(), META)
    assert saved.read_bytes() == saved.with_name("other.pth").read_bytes()


def test_texts_may_be_the_same_object_or_not(tmp_path: Path, model) -> None:
    """Options are one object where they are defaults, and several where they were typed."""
    text, other = "auto", "".join(["au", "to"])
    for name, value in (("a", text), ("b", other)):
        meta = {**META, "params": {"one": text, "two": value, "several": [value, text]}}
        save_weights(tmp_path / f"{name}.pth", model.state_dict(), meta)
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()


def test_second_network(tmp_path: Path, model) -> None:
    other = build_classifier("tiny", 2)
    save_weights(tmp_path / "x.pth", model.state_dict(), META, other.state_dict())
    second = load_weights(tmp_path / "x.pth").state_dict_2
    assert second is not None and torch.equal(second["head.weight"], other.state_dict()["head.weight"])


@pytest.mark.parametrize("key", ["state_dict", "state_dict_ema", "model_state_dict", "model"])
def test_foreign_containers(tmp_path: Path, key: str) -> None:
    content = {
        key: {"module.a": torch.ones(2)},
        "args": argparse.Namespace(lr=0.1),
        "best": np.float64(0.5),
        "loss": np.mean(np.ones(3, np.float32)),
    }
    torch.save(content, tmp_path / "x.pth")
    weights = load_weights(tmp_path / "x.pth")
    assert list(weights.state_dict) == ["a"] and weights.meta == {}
    with pytest.raises(BadInputError, match="does not name its network"):
        build_from_weights(tmp_path / "x.pth")


class Bomb:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("write", [torch.save, lambda x, p: p.write_bytes(pickle.dumps(x, 2))])
def test_pickle_bombs_do_not_go_off(tmp_path: Path, write) -> None:
    write({"state_dict": Bomb(tmp_path / "mark")}, tmp_path / "x.pth")
    with pytest.raises(BadInputError, match="Python objects"):
        load_weights(tmp_path / "x.pth")
    assert not (tmp_path / "mark").exists()


def test_truncated_and_flipped(saved: Path) -> None:
    data = saved.read_bytes()
    rng = np.random.default_rng(0)
    for cut in (0, 1, 100, *rng.integers(0, len(data), 5), len(data) - 1):
        saved.write_bytes(data[:cut])
        with pytest.raises(BadInputError):
            load_weights(saved)
    for place in rng.integers(len(data) // 10, len(data) * 9 // 10, 5):
        flipped = bytearray(data)
        flipped[place] ^= 16
        saved.write_bytes(flipped)
        with pytest.raises(BadInputError):
            load_weights(saved)


@pytest.mark.parametrize("content", [b"<html>not found</html>", b"wsstool"])
def test_no_weights_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(BadInputError, match="not a weights file"):
        load_weights(tmp_path / "x.pth")


def test_no_state_dict(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "x.pth")
    with pytest.raises(BadInputError, match="epoch"):
        load_weights(tmp_path / "x.pth")
    torch.save([1, 2], tmp_path / "x.pth")
    with pytest.raises(BadInputError, match="list"):
        load_weights(tmp_path / "x.pth")


@pytest.mark.parametrize("content", [{}, {"state_dict": {}}])
def test_an_empty_dictionary_is_called_so(tmp_path: Path, content: dict) -> None:
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(BadInputError, match=r"x\.pth contains no weights, only an empty dictionary$"):
        load_weights(tmp_path / "x.pth")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        load_weights(tmp_path / "x.pth")
    with pytest.raises(CannotWriteError):
        save_weights(tmp_path / "no" / "x.pth", {}, {})


def test_a_misfit_names_the_keys(model) -> None:
    state = model.state_dict()
    state["head.weight"] = torch.zeros(5, 160, 1, 1)
    state["extra.weight"] = torch.zeros(1)
    del state["head.bias"]
    with pytest.raises(
        BadInputError, match=r"missing: head.bias.*extra.weight.*head.weight is \(5, 160, 1, 1\)"
    ):
        load_state(model, state)


def test_start_weights_of_a_backbone(tmp_path: Path, saved: Path, model) -> None:
    import torchvision

    whole = torchvision.models.resnet18(weights=None)
    torch.save(whole.state_dict(), tmp_path / "r.pth")
    backbone = build_backbone("resnet-18", output_stride=16)
    load_backbone(backbone, load_weights(tmp_path / "r.pth"), "r.pth")
    assert torch.equal(backbone.state_dict()["layer4.1.conv2.weight"], whole.layer4[1].conv2.weight)
    with pytest.raises(BadInputError, match="weights of resnet-18, not of mobilenet-v2; did you mean"):
        load_backbone(build_backbone("mobilenet-v2"), load_weights(tmp_path / "r.pth"), "r.pth")
    tiny = build_backbone("tiny")
    load_backbone(tiny, load_weights(saved), saved)
    assert torch.equal(tiny.features[0][0].weight, model.backbone.features[0][0].weight)


def test_real_start_weights(shared: Path) -> None:
    path = shared / "data/weights/mobilenet_v2_imagenet1k.pth"
    load_backbone(build_backbone("mobilenet-v2", output_stride=8), load_weights(path), path)


def test_description(tmp_path: Path, saved: Path) -> None:
    described = describe_weights(saved)
    assert described["arch"] == "tiny" and described["meta"] == META and described["networks"] == 1
    assert described["fits"] == ["tiny"]
    state = {f"module.{k}": v for k, v in build_backbone("resnet-18").state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "foreign.pth")
    assert describe_weights(tmp_path / "foreign.pth")["fits"] == ["resnet-18"]


@pytest.mark.parametrize("second", [False, True])
def test_what_does_not_fit_the_description_is_named(tmp_path: Path, model, second: bool) -> None:
    sound, broken = model.state_dict(), model.state_dict()
    del broken["head.bias"]
    broken["spare"], broken["head.weight"] = torch.zeros(1), torch.zeros(2)
    save_weights(tmp_path / "x.pth", sound if second else broken, META, broken if second else sound)
    n = len(META["class_ids"])
    which = ", the second network" if second else ""
    with pytest.raises(BadInputError) as error:
        describe_weights(tmp_path / "x.pth")
    assert str(error.value) == (
        f"{tmp_path / 'x.pth'} (classification with tiny, {n} outputs{which}) does not fit this network; "
        f"missing: head.bias; not in the network: spare; "
        f"different shape: head.weight is (2,) instead of ({n}, 160, 1, 1)"
    )


def test_a_description_of_no_network_is_bad_input(tmp_path: Path, model) -> None:
    for change, says in (({"arch": "nadir"}, "no backbone 'nadir'"), ({"task": "poetry"}, "task 'poetry'")):
        save_weights(tmp_path / "x.pth", model.state_dict(), {**META, **change})
        with pytest.raises(BadInputError, match=says):
            describe_weights(tmp_path / "x.pth")


@pytest.mark.parametrize("arch", ["regnet-y-400mf", "convnext-tiny"])
def test_shapes_of_a_description_need_no_weights(arch: str) -> None:
    shapes = described_shapes({**META, "arch": arch}, "x.pth")
    whole = build_classifier(arch, len(META["class_ids"])).state_dict()
    assert shapes == {name: tuple(value.shape) for name, value in whole.items()}


def test_weights_that_are_not_numbers_are_neither_written_nor_believed(tmp_path) -> None:
    bad = {"a": torch.ones(2), "b": torch.tensor([1.0, float("nan")])}
    with pytest.raises(WsstoolError, match="values that are not finite"):
        save_weights(tmp_path / "x.pth", bad, {})
    with pytest.raises(WsstoolError, match="values that are not finite"):
        save_weights(tmp_path / "x.pth", {"a": torch.ones(2)}, {}, {"a": torch.tensor([float("inf")])})
    assert not list(tmp_path.iterdir())
    layer = torch.nn.Linear(1, 1)
    with pytest.raises(BadInputError, match="not finite"):
        load_state(layer, {"weight": torch.tensor([[float("nan")]]), "bias": torch.zeros(1)})


def test_a_zip_that_claims_more_than_it_can_hold(saved: Path) -> None:
    with zipfile.ZipFile(saved, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/99", bytes(1 << 28))
    with pytest.raises(BadInputError, match=r"claims to unpack to 25[67] MiB"):
        load_weights(saved)


def test_a_view_that_claims_more_than_the_file_contains(tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": torch.zeros(1).expand(1 << 20, 1 << 20)}}, tmp_path / "x.pth")
    with pytest.raises(BadInputError, match="w claims more values than the file contains"):
        load_weights(tmp_path / "x.pth")


def test_a_container_that_holds_itself(tmp_path: Path) -> None:
    content: dict = {}
    content["state_dict"] = content
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(BadInputError, match="contains no state dict"):
        load_weights(tmp_path / "x.pth")


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("arch", 5), ("task", ["segmentation"]), ("class_ids", "12"), ("class_ids", [0, 0]),
        ("class_ids", [0, 9]), ("class_ids", [-1, 0]), ("classes", ["a", 7]), ("classes", "abc"),
        ("background", "none"),
        ("background", 7), ("output_stride", "8"), ("output_stride", -8), ("mean", [0.5]),
        ("mean", [0.5, float("nan"), 0.5]), ("std", [0.0, 1.0, 1.0]), ("palette", [[1, 2]]),
        ("palette", [[1, 2, 300]]), ("provenance", "wsstool"), ("provenance", [{"command": 1}]),
        ("pool", 1), ("head_bias", "no"), ("dropout", float("inf")), ("image_size", 1e9), ("params", []),
        ("vocabulary", [1]),
    ],
)  # fmt: skip
def test_descriptions_of_wrong_types(tmp_path: Path, model, entry: str, value: object) -> None:
    meta = {**META, "classes": ["a", "b", "c"], "background": 1, entry: value}
    save_weights(tmp_path / "x.pth", model.state_dict(), meta)
    with pytest.raises(BadInputError, match=r"describes its network with|names 3 classes, but has outputs"):
        load_weights(tmp_path / "x.pth")


NUMPY = {
    "float64": np.float64(3.5),
    "float32": np.float32(1),
    "int64": np.int64(2),
    "bool": np.bool_(True),
    "text": np.str_("fan"),
    "vector": np.arange(6.0).reshape(2, 3),
    "half": np.ones(2, np.float16),
    "short": np.arange(3, dtype=np.int16),
    "unsigned": np.arange(3, dtype=np.uint32),
    "texts": np.array(["a", "bc"]),
}


@pytest.mark.parametrize("numpy_1", [False, True])
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("kind", NUMPY)
def test_numbers_of_either_numpy(tmp_path: Path, kind: str, zipped: bool, numpy_1: bool) -> None:
    """Pickled as scalar or array, in both formats of torch, under the module names of numpy 1 and 2."""
    content = {"best": NUMPY[kind], "state_dict": {"w": torch.zeros(2)}}
    torch.save(content, tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    if numpy_1 and zipped:
        by_numpy_1(tmp_path / "x.pth")
    elif numpy_1:
        data = (tmp_path / "x.pth").read_bytes()
        assert b"cnumpy._core." in data
        (tmp_path / "x.pth").write_bytes(data.replace(b"cnumpy._core.", b"cnumpy.core."))
    found = load_safely(tmp_path / "x.pth")["best"]
    np.testing.assert_array_equal(found, NUMPY[kind])
    assert found.dtype == NUMPY[kind].dtype


def test_a_tensor_that_is_marked_as_a_folder(saved: Path) -> None:
    """One flipped bit outside every checksum: torch then returned whatever was in its memory."""
    whole = bytearray(saved.read_bytes())
    with zipfile.ZipFile(saved) as archive:
        at = archive.start_dir
        for member in archive.infolist():
            if member.filename.endswith("data/3"):
                break
            at += 46 + len(member.filename) + len(member.extra) + len(member.comment)
    whole[at + 38] ^= 0x10
    saved.write_bytes(whole)
    with pytest.raises(BadInputError, match=r"damaged: .*data/3 is marked as a folder"):
        load_weights(saved)


def test_a_network_of_a_package_that_is_not_installed(saved: Path, tmp_path: Path, model) -> None:
    params = {"packages": ["odd 2, wsstool.pixel-losses huge, 77", "mine 0.3, wsstool.backbones my-net, 1f"]}
    save_weights(tmp_path / "x.pth", model.state_dict(), {**META, "arch": "my-net", "params": params})
    for use in (build_from_weights, describe_weights):
        with pytest.raises(MissingInputError, match=r"needs the package mine 0\.3 for the backbone 'my-net'"):
            use(tmp_path / "x.pth")
    save_weights(tmp_path / "x.pth", model.state_dict(), {**META, "arch": "my-net"})
    with pytest.raises(BadInputError, match="cannot be built: no backbone 'my-net'"):
        build_from_weights(tmp_path / "x.pth")
