"""ResNet-38d: layers, sizes and Grad-CAM of the published network, against numbers that it gave."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from tests.models.published.tissue import fixture_state
from wsstool import store
from wsstool.cams.gradcam import gradcam
from wsstool.cli.app import app
from wsstool.errors import UsageError
from wsstool.models.backbones import build_backbone
from wsstool.models.classifier import Classifier, build_classifier
from wsstool.models.layers import find_layer
from wsstool.models.published.tissue_stage1 import published_names, renamed

LAYERS = ("b4_5", "b5_2", "bn7")
CLOSE = {"b4_5": 1e-3, "b5_2": 1e-3, "bn7": 1e-4}
"""Largest distance of the maps of a layer, in standard deviations.

With more threads than one, sums are rounded in another order, and in one picture a unit before the ReLU of
each of the first two layers changes its sign: 3e-4.
"""


@pytest.fixture(scope="module")
def model() -> Classifier:
    """One network for all: it has 420 MB. Weights are random, batch statistics too."""
    torch.manual_seed(0)
    model = build_classifier("resnet38d", 3, dropout=0.5, head_bias=False).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model


@pytest.fixture(scope="module")
def published(shared: Path) -> Classifier:
    model = build_classifier("resnet38d", 4, dropout=0.5, head_bias=False)
    model.load_state_dict(renamed(fixture_state(shared)))
    return model.eval()


def images(n: int = 3) -> torch.Tensor:
    return torch.rand(n, 3, 32, 40, generator=torch.Generator().manual_seed(1))


class TestLayers:
    def test_size(self, model: Classifier) -> None:
        state = model.state_dict()
        assert len(state) == 229
        assert sum(p.numel() for p in model.parameters()) == 105_087_296 - 4096  # one class less
        assert sum(p.ndim == 4 for p in model.backbone.parameters()) == 43
        assert model.head.bias is None

    def test_strides_and_channels(self, model: Classifier) -> None:
        stages = {s.name: (s.stride, s.channels) for s in model.backbone.stages}
        assert list(stages)[:5] == ["conv1a", "b2", "b2_1", "b2_2", "b3"] and len(stages) == 19
        assert stages["conv1a"] == (1, 64) and stages["b2_2"] == (2, 128) and stages["b3_2"] == (4, 256)
        assert stages["b4_5"] == (8, 512) and stages["b5_2"] == (8, 1024)
        assert stages["b6"] == (8, 2048) and stages["bn7"] == (8, 4096)

    def test_dilations(self, model: Classifier) -> None:
        found = {n: m.dilation[0] for n, m in model.backbone.named_modules() if isinstance(m, nn.Conv2d)}
        dilated = {name: d for name, d in found.items() if d > 1}
        assert dilated == {
            "b5.conv_branch2b1": 2,
            **{f"b5_{i}.conv_branch2{x}": 2 for i in (1, 2) for x in ("a", "b1")},
            **{f"b{i}.conv_branch2b1": 4 for i in (6, 7)},
        }

    def test_dropout_is_for_training(self, model: Classifier) -> None:
        rates = [m.p for m in model.modules() if isinstance(m, nn.Dropout2d)]
        assert rates == [0.3, 0.5, 0.5]
        x = images(1)
        with torch.no_grad():
            assert torch.equal(model(x), model(x))
            torch.manual_seed(0)
            block = model.backbone.b6.train()
            y = torch.rand(1, 1024, 4, 4)
            dropped = [block(y) for _ in range(2)]
            model.eval()
            assert not torch.equal(*dropped)

    def test_odd_sizes_and_a_finer_stride(self, model: Classifier) -> None:
        with torch.device("meta"):
            assert model.backbone.stride == 8
            assert build_backbone("resnet38d").eval()(torch.empty(1, 3, 33, 17)).shape == (1, 4096, 5, 3)
            fine = build_backbone("resnet38d", output_stride=4)
        assert fine.to("meta").eval()(torch.empty(1, 3, 32, 40, device="meta")).shape == (1, 4096, 8, 10)

    def test_names_go_there_and_back(self, model: Classifier) -> None:
        state = model.state_dict()
        assert list(renamed(published_names(state))) == list(state)


class TestGradCam:
    """Of three layers: one forward pass, one backward pass a class, none where the head reads."""

    def test_against_one_pass_a_class_and_layer(self, model: Classifier) -> None:
        x, targets = images(1), torch.ones(1, 3, dtype=torch.bool)
        found = gradcam(model, x, targets, LAYERS)
        for layer, maps in zip(LAYERS, found.maps, strict=True):
            for c in range(3):
                kept = []
                hook = find_layer(model, layer).register_forward_hook(
                    lambda m, i, o, kept=kept: kept.append(o)
                )
                score = model(x)[0, c]
                hook.remove()
                (gradient,) = torch.autograd.grad(score, kept[0])
                expected = (gradient.mean((2, 3), keepdim=True) * kept[0]).sum(1)[0].detach()
                worst = (maps[0, c] - expected).abs().max() / expected.std()
                assert worst < 1e-4, (layer, c)
            assert (maps < 0).any(), "the maps are not rectified"

    def test_passes(self, model: Classifier, monkeypatch) -> None:
        counts = {"forward": 0, "backward": 0}
        grad = torch.autograd.grad

        def counted(*arguments, **named):
            counts["backward"] += 1
            return grad(*arguments, **named)

        monkeypatch.setattr(torch.autograd, "grad", counted)
        hook = model.backbone.conv1a.register_forward_hook(
            lambda *_: counts.update(forward=counts["forward"] + 1)
        )
        targets = torch.ones(2, 3, dtype=torch.bool)
        gradcam(model, images(2), targets, LAYERS)
        assert counts == {"forward": 1, "backward": 3}
        gradcam(model, images(2), targets, ("bn7",))
        hook.remove()
        assert counts == {"forward": 2, "backward": 3}

    def test_images_of_a_batch_do_not_meet(self, model: Classifier) -> None:
        x, targets = images(3), torch.tensor([[1, 1, 1], [0, 1, 0], [1, 0, 1]], dtype=torch.bool)
        together = gradcam(model, x, targets, LAYERS)
        for i in range(3):
            alone = gradcam(model, x[i : i + 1], targets[i : i + 1], LAYERS)
            for a, b in zip(alone.maps, together.maps, strict=True):
                torch.testing.assert_close(a[0], b[i], rtol=1e-3, atol=float(1e-5 * b[i].abs().max()))

    def test_mistyped_layers_are_answered_with_those_there_are(self, model: Classifier) -> None:
        with pytest.raises(UsageError, match=r"no layer 'b4_6' .*: conv1a, b2, b2_1, .*b4_5, b5, .*b7, bn7$"):
            gradcam(model, images(1), torch.ones(1, 3, dtype=torch.bool), ("b4_6",))


class TestParity:
    """Numbers of the published program, computed with weights that follow from the names."""

    def test_keys_in_order(self, shared: Path, published: Classifier) -> None:
        listed = json.loads((shared / "fixtures/parity/wsss_net_cam.keys.json").read_text())
        state = published_names(published.state_dict())
        assert [[k, list(v.shape), str(v.dtype).removeprefix("torch.")] for k, v in state.items()] == [
            list(row) for row in listed["keys"]
        ]
        assert sum(p.numel() for p in published.parameters()) == listed["n_parameters"]

    @pytest.mark.parametrize("name", ["a", "b"])
    def test_maps_scores_and_gradcam(self, shared: Path, published: Classifier, name: str) -> None:
        known = np.load(shared / "fixtures/parity/wsss_net_cam.npz")
        x = torch.from_numpy(known[f"{name}_image"]).movedim(-1, 0)[None].float() / 255
        found = gradcam(published, x, torch.ones(1, 4, dtype=torch.bool), LAYERS)
        with torch.no_grad():
            maps = published.class_maps(x).relu()

        def distance(ours: torch.Tensor, key: str) -> float:
            theirs = known[f"{name}_{key}"]
            return float(np.abs(ours.numpy().reshape(theirs.shape) - theirs).max() / theirs.std())

        assert distance(maps, "cam") < 3e-5
        assert distance(found.logits, "logit") < 3e-5
        assert distance(found.logits.sigmoid(), "score") < 3e-5
        for layer, low in zip(LAYERS, found.maps, strict=True):
            assert distance(low[0], f"gradcam_low_{layer}") < CLOSE[layer]
            if name == "a":
                size = nn.functional.interpolate(low, x.shape[2:], mode="bilinear", align_corners=False)
                assert distance(size, f"gradcam_{layer}") < CLOSE[layer]


@pytest.mark.slow
def test_parity_through_the_command_line(shared: Path, tmp_path: Path) -> None:
    """A published file, two pictures of different size, ``cam`` with the recipe: the maps of the program."""
    known = np.load(shared / "fixtures/parity/wsss_net_cam.npz")
    (tmp_path / "data").mkdir()
    for name in "ab":
        Image.fromarray(known[f"{name}_image"]).save(tmp_path / "data" / f"{name}-[1 0 0 1].png")
    weights = tmp_path / "stage1_checkpoint_trained_on_luad.pth"
    torch.save(fixture_state(shared), weights)
    words = ["cam", str(tmp_path / "data"), "--weights", str(weights), "--recipe", "wsss-tissue-luad"]
    result = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "cams.h5"), "--device", "cpu"])
    weights.unlink()
    assert result.exit_code == 0, result.stderr
    with store.open_records(tmp_path / "cams.h5", kinds=("cam",)) as reader:
        assert reader.header.attributes["layers"] == list(LAYERS)
        assert reader.header.classes.names[:4] == ("TE", "NEC", "LYM", "TAS")
        records = [[layer.copy() for layer in record.maps] for record in reader.records()]
        for name, maps, scales in zip("ab", records, reader.tail["scale"], strict=True):
            for layer, low, scale in zip(LAYERS, maps, scales, strict=True):
                theirs = known[f"{name}_gradcam_low_{layer}"]
                assert np.abs(low * scale - theirs).max() / theirs.std() < CLOSE[layer]
