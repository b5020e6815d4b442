"""``export`` of weights: what the file says, what it computes, and what is refused."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from tests.messages import Heard
from tests.models.heads.fcn_networks import lively
from tests.models.standalone.networks import perturbed
from tests.stages.chain import write_data, write_masks
from wsstool.errors import BadInputError, CannotWriteError, MissingInputError, UsageError, WsstoolError
from wsstool.models.classifier import build_classifier
from wsstool.models.contour import build_contour
from wsstool.models.referring.build import build_referring, describe_referring
from wsstool.models.segmenter import build_segmenter
from wsstool.models.standalone import onnx_file, pt2_file
from wsstool.models.standalone.pixels import on_pixels
from wsstool.models.standalone.trace import Traced, trace
from wsstool.models.weights import load_weights, save_weights
from wsstool.stages.exchange import network
from wsstool.stages.exchange.export import export
from wsstool.stages.options.exchange import ExportOptions
from wsstool.stages.streams.info import info

META = {
    "task": "segmentation",
    "arch": "fcn4s-tiny",
    "classes": ["ground", "cat", "dog"],
    "class_ids": [0, 1, 2],
    "background": 0,
    "palette": [[0, 0, 0], [200, 0, 0], [0, 0, 200]],
    "mean": [0.5, 0.4, 0.3],
    "std": [0.2, 0.2, 0.2],
    "provenance": [{"command": "wsstool cotrain masks.h5 -o seg.pth", "key": "0"}],
}


def opened(path: Path, **options) -> tuple[torch.nn.Module, dict]:
    """The network of a file and its description, before it is traced."""
    heard = options.pop("messages", Heard())
    return network._described_network(path, ExportOptions(output=Path("x.pt2"), **options), heard)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("network") / "seg.pth"
    state = lively(build_segmenter("fcn4s-tiny", 3)).state_dict()
    save_weights(path, state, META, state)
    return path


@pytest.fixture(scope="module")
def traced(weights) -> Traced:
    found, meta = opened(weights)
    return trace(on_pixels(found, meta))


@pytest.fixture
def traced_once(traced, monkeypatch) -> None:
    """Tracing takes seconds; these tests are about what comes after it."""
    monkeypatch.setattr(network, "trace", lambda _: traced)


@pytest.fixture(scope="module")
def exported(weights, traced) -> Path:
    """The weights as pt2."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "trace", lambda _: traced)
        export(weights, output=weights.with_suffix(".pt2"))
    return weights.with_suffix(".pt2")


def test_pt2_runs_and_describes_itself(exported, weights) -> None:
    program = torch.export.load(exported).module()
    image = torch.randint(0, 256, (1, 3, 40, 57), dtype=torch.uint8)
    logits, mask = program(image)
    plain = build_segmenter("fcn4s-tiny", 3)
    plain.load_state_dict(load_weights(weights).state_dict)
    x = (image / 255 - torch.tensor(META["mean"])[:, None, None]) / 0.2
    expected = plain.eval()(torch.nn.functional.pad(x, (0, 7, 0, 0), mode="replicate"))[..., :57]
    torch.testing.assert_close(logits, expected)
    assert torch.equal(mask, expected.argmax(1).to(torch.uint8))
    told = info(exported)
    assert told["classes"] == META["classes"] and told["class_ids"] == [0, 1, 2]
    assert told["palette"] == META["palette"] and told["background"] == 0
    assert told["arch"] == "fcn4s-tiny" and told["activation"] == "softmax"
    assert told["commands"] == ["wsstool cotrain masks.h5 -o seg.pth"]
    assert "provenance" not in told
    assert 1 <= told["least_side"] <= 16 and set(told["outputs"]) == {"logits", "mask"}


def test_onnx_runs_and_describes_itself(weights, tmp_path, traced, traced_once) -> None:
    for name in ("onnx", "onnxscript"):
        pytest.importorskip(name, reason=f"{name} of the extra onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime of the extra onnx is not installed")
    heard = Heard()
    found = export(weights, output=tmp_path / "seg.onnx", messages=heard)
    assert found["format"] == "onnx" and found["difference"] < 1e-4
    assert "largest difference" in heard.text and "only the first is exported" in heard.text
    session = runtime.InferenceSession(str(tmp_path / "seg.onnx"), providers=["CPUExecutionProvider"])
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["classes"]) == META["classes"] and told["task"] == "segmentation"
    shown = info(tmp_path / "seg.onnx")
    assert shown["classes"] == META["classes"] and shown["commands"] == json.loads(told["provenance"])
    image = np.random.default_rng(0).integers(0, 256, (2, 3, 33, 46), dtype=np.uint8)
    logits, mask = session.run(["logits", "mask"], {"image": image})
    assert np.array_equal(mask, logits.argmax(1))
    with torch.no_grad():
        expected = traced.network(torch.from_numpy(image))[0]
    np.testing.assert_allclose(logits, expected.numpy(), atol=1e-4 * float(expected.std()))


@pytest.mark.parametrize("content", [b"", b"PK", b"some text"])
def test_info_of_what_is_no_network(tmp_path, content) -> None:
    (tmp_path / "x.pt2").write_bytes(content)
    with pytest.raises(BadInputError, match="damaged or not a network"):
        info(tmp_path / "x.pt2")
    with pytest.raises(MissingInputError, match="no network file"):
        info(tmp_path / "none.onnx")


def test_again(exported, weights, tmp_path, traced_once) -> None:
    output = tmp_path / "seg.pt2"
    output.write_bytes(b"of somebody else")
    with pytest.raises(UsageError, match="exists; --force replaces it"):
        export(weights, output=output)
    export(weights, output=output, force=True)
    export(weights, output=output)  # one of ours may be replaced
    assert output.stat().st_size > 100_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "coco", "output": "x.json"}, "--format coco cannot hold a network"),
        ({"format": "onnx", "output": "x.pt2"}, "end its name with .onnx"),
        ({"output": "x.json"}, "end its name with .onnx"),
        ({"output": "x.pt2", "flat": True}, "--flat is not for networks"),
        ({"output": "x.pt2", "layer": "a", "min_area": 3}, "--min-area, --layer are not for networks"),
    ],
)
def test_options_of_others_are_refused(weights, tmp_path, options, message) -> None:
    with pytest.raises(UsageError, match=message):
        export(weights, **{**options, "output": tmp_path / options["output"]})
    assert not list(tmp_path.iterdir())


class TestInputs:
    def test_record_file(self, tmp_path) -> None:
        data = write_data(tmp_path / "data")
        masks = write_masks(tmp_path / "masks.h5", data)
        with pytest.raises(BadInputError, match="is a record file, but --format pt2 needs weights"):
            export(masks, output=tmp_path / "x.pt2", format="pt2")

    def test_standard_input(self, tmp_path) -> None:
        with pytest.raises(UsageError, match="needs a weights file; name it"):
            export("-", output=tmp_path / "x.pt2", format="pt2")

    def test_missing(self, tmp_path) -> None:
        with pytest.raises(MissingInputError):
            export(tmp_path / "none.pth", output=tmp_path / "x.pt2")

    def test_without_description(self, tmp_path, weights) -> None:
        torch.save(load_weights(weights).state_dict, tmp_path / "bare.pth")
        with pytest.raises(BadInputError, match=r"bare state dict .* fits the backbone tiny"):
            export(tmp_path / "bare.pth", output=tmp_path / "x.pt2")

    def test_of_another_network(self, tmp_path, weights) -> None:
        save_weights(tmp_path / "x.pth", load_weights(weights).state_dict, {**META, "arch": "fcn-tiny"})
        with pytest.raises(BadInputError, match=r"missing|extra|shape"):
            export(tmp_path / "x.pth", output=tmp_path / "x.pt2")

    def test_half_precision(self, tmp_path, weights) -> None:
        """Such weights are read as what they are, and the network computes in single precision."""
        state = {
            name: value.half() if value.is_floating_point() else value
            for name, value in load_weights(weights).state_dict.items()
        }
        save_weights(tmp_path / "half.pth", state, META)
        found, _ = opened(tmp_path / "half.pth")
        assert {p.dtype for p in found.parameters()} == {torch.float32}


class TestNothingIsLeft:
    @pytest.fixture(autouse=True)
    def _one_trace(self, traced_once) -> None:
        pass

    def refused(self, weights, folder, error, message) -> None:
        output = folder / "seg.pt2"
        output.write_bytes(b"before")
        with pytest.raises(error, match=message):
            export(weights, output=output, force=True)
        assert [one.name for one in folder.iterdir()] == ["seg.pt2"] and output.read_bytes() == b"before"

    def test_another_result(self, weights, tmp_path, monkeypatch) -> None:
        opened = pt2_file.runner
        monkeypatch.setattr(
            pt2_file, "runner", lambda path: lambda inputs: perturbed(opened(path)(inputs), 0.01)
        )
        self.refused(weights, tmp_path, WsstoolError, "differs from torch by 1.0e-02")

    def test_full_disk(self, weights, tmp_path, monkeypatch) -> None:
        def write(traced, path, description):
            path.write_bytes(b"begun")
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(pt2_file, "write", write)
        self.refused(weights, tmp_path, CannotWriteError, "No space left")

    def test_no_folder(self, weights, tmp_path) -> None:
        with pytest.raises(CannotWriteError, match="No such file"):
            export(weights, output=tmp_path / "none" / "x.pt2")


def test_without_the_extra(weights, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(onnx_file, "find_spec", lambda name: None)
    with pytest.raises(MissingInputError, match=r"pip install wsstool\[onnx\]"):
        export(weights, output=tmp_path / "x.onnx")


def described(path: Path) -> dict:
    found, meta = opened(path)
    return network._description(Traced(on_pixels(found, meta), program=None, least_side=9), meta)  # type: ignore[arg-type]


class TestDescriptions:
    """What a user of the file has to know, beside what the test of a segmenter has seen."""

    CROPS: ClassVar = {"mean": [0.5] * 3, "std": [0.2] * 3, "image_size": 64, "window": "box"}

    def test_classifier(self, tmp_path) -> None:
        meta = {**META, "task": "classification", "arch": "tiny", "class_ids": [1, 2], "single_label": True}
        save_weights(tmp_path / "cls.pth", build_classifier("tiny", 2).state_dict(), meta)
        told = described(tmp_path / "cls.pth")
        assert told["activation"] == "softmax" and told["class_ids"] == [1, 2]
        assert set(told["outputs"]) == {"logits", "class_maps"}

    def test_contour_network(self, tmp_path) -> None:
        own = {"width": 8, "condition": "class", "condition_size": 3, "class_ids": []}
        meta = {**META, "task": "contour", "arch": "tiny", **own, **self.CROPS}
        state = build_contour("tiny", width=8, condition="class", condition_size=3).state_dict()
        save_weights(tmp_path / "contour.pth", state, meta)
        told = described(tmp_path / "contour.pth")
        assert told["window"] == "box" and told["image_size"] == 64 and told["activation"] == "sigmoid"
        assert list(told["inputs"]) == ["image", "condition"] and told["classes"] == META["classes"]

    def test_referring_network(self, tmp_path) -> None:
        words = ["<pad>", "<unk>", "red", "star"]
        reader = build_referring("bcam-tiny", 4, width=16, image_size=64)
        meta = {**self.CROPS, **describe_referring(reader, words)}
        save_weights(tmp_path / "words.pth", reader.state_dict(), meta)
        told = described(tmp_path / "words.pth")
        assert told["vocabulary"] == words and told["image_size"] == 64
        assert "64,64" in told["inputs"]["image"] and list(told["inputs"]) == ["image", "words"]
