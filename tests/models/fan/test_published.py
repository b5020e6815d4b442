"""Published FAN files: read as they are, recognised, and giving the numbers of the published program."""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from tests.models.fan.parity import PUBLISHED, fixture_state, key_list, zeros
from wsstool.cli.app import app
from wsstool.errors import BadInputError
from wsstool.models.classifier import NORMALIZATIONS, build_classifier, normalise
from wsstool.models.fan.class_head import combined_logits
from wsstool.models.fan_classifier import FanClassifier
from wsstool.models.published.fan import published_names
from wsstool.models.recognise import describe_weights
from wsstool.models.weights import build_from_weights, load_weights


@pytest.fixture(scope="module")
def published(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> FanClassifier:
    """The network of a checkpoint as the published training leaves it: last and averaged weights, numpy 1."""
    state = fixture_state(shared)
    path = tmp_path_factory.mktemp("fan") / "model_best.pth.tar"
    content = {
        "epoch": 349,
        "arch": "fan_tiny_8_p4_hybrid",
        "state_dict": {f"module.{name}": torch.zeros_like(value) for name, value in state.items()},
        "state_dict_ema": {f"module.{name}": value for name, value in state.items()},
        "args": argparse.Namespace(lr=2e-3, model="fan_tiny_8_p4_hybrid", mean=None),
        "metric": np.float64(79.9),
        "lr": [np.float32(1e-6)],
    }
    torch.save(content, path)
    by_numpy_1(path)
    model, _ = build_from_weights(path)
    assert isinstance(model, FanClassifier)
    return model


def by_numpy_1(path: Path) -> None:
    """Name the parts of numpy inside a file of ``torch.save`` as numpy 1 did."""
    with zipfile.ZipFile(path) as archive:
        members = {one.filename: archive.read(one) for one in archive.infolist()}
    assert any(b"cnumpy._core." in data for data in members.values())
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data.replace(b"cnumpy._core.", b"cnumpy.core."))


class TestFiles:
    @pytest.mark.parametrize("arch", PUBLISHED)
    def test_every_size_loads_strictly(self, shared: Path, tmp_path: Path, arch: str) -> None:
        torch.save({"state_dict_ema": zeros(shared, arch)}, tmp_path / "x.pth.tar")
        described = describe_weights(tmp_path / "x.pth.tar")  # compares every name and shape
        assert described["arch"] == arch and described["fits"] == [arch]
        assert described["parameters"] == key_list(shared, arch)["n_parameters"]
        title = arch.removeprefix("fan-")
        assert described["what"] == f"FAN-Hybrid {title} with token head (STL), 1000 classes"

    def test_info_says_which_it_is(self, shared: Path, tmp_path: Path) -> None:
        torch.save({"state_dict_ema": zeros(shared, "fan-small")}, tmp_path / "x.pth.tar")
        result = CliRunner().invoke(app, ["info", str(tmp_path / "x.pth.tar")])
        assert result.exit_code == 0, result.stderr
        rows = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
        assert ["what", "FAN-Hybrid small with token head (STL), 1000 classes"] in rows
        assert ["classes", "class_0 to class_999, 1000 in all"] in rows and len(rows) < 30

    def test_info_says_whether_it_has_an_average_and_its_epoch(self, tmp_path: Path) -> None:
        last, average = (build_classifier("fan-micro", 5, token_head=t) for t in (False, True))
        states = [published_names(network.state_dict()) for network in (last, average)]
        content = {"state_dict": states[0], "state_dict_ema": states[1], "epoch": 349, "metric": 79.9}
        torch.save(content, tmp_path / "x.pth.tar")
        described = describe_weights(tmp_path / "x.pth.tar")
        assert (described["ema"], described["epoch"], described["meta"]["token_head"]) == (True, 349, True)
        torch.save(states[0], tmp_path / "x.pth")
        described = describe_weights(tmp_path / "x.pth")
        assert described["ema"] is False and "epoch" not in described
        assert described["what"] == "FAN-Hybrid micro, 5 classes"

    def test_the_epoch_may_be_a_number_of_numpy(self, tmp_path: Path) -> None:
        state = published_names(build_classifier("fan-micro", 5).state_dict())
        torch.save({"state_dict": state, "epoch": np.int64(7)}, tmp_path / "x.pth.tar")
        assert describe_weights(tmp_path / "x.pth.tar")["epoch"] == 7

    def test_without_the_entry_that_its_width_is_read_from(self, tmp_path: Path) -> None:
        state = published_names(build_classifier("fan-micro", 5).state_dict())
        del state["pos_embed.token_projection.bias"]
        torch.save(state, tmp_path / "x.pth")
        with pytest.raises(BadInputError, match=r"but has no 'pos_embed\.token_proj.*bias'"):
            load_weights(tmp_path / "x.pth")

    def test_without_token_head(self, shared: Path, tmp_path: Path) -> None:
        state = {k: v for k, v in zeros(shared, "fan-tiny").items() if not k.startswith("aux_head.")}
        torch.save(state, tmp_path / "x.pth")
        described = describe_weights(tmp_path / "x.pth")
        assert described["what"] == "FAN-Hybrid tiny, 1000 classes" and described["parameters"] == 7_467_240
        assert described["meta"]["token_head"] is False

    def test_names_in_order_and_back(self, shared: Path, published: FanClassifier) -> None:
        state = published_names(published.state_dict())
        rows = [[k, list(v.shape), str(v.dtype).removeprefix("torch.")] for k, v in state.items()]
        assert rows == [list(row) for row in key_list(shared, "fan-tiny")["keys"]]

    def test_old_names(self, shared: Path, tmp_path: Path) -> None:
        state = fixture_state(shared)
        old = {k.replace("pos_embed.", "pos_embeder."): v for k, v in state.items()}
        for block in range(2):
            for leaf in ("weight", "bias"):
                place = f"cls_attn_blocks.{block}.attn."
                old[f"{place}qkv.{leaf}"] = torch.cat([old.pop(f"{place}{one}.{leaf}") for one in "qkv"])
        torch.save(old, tmp_path / "old.pth")
        found = published_names(load_weights(tmp_path / "old.pth").state_dict)
        assert found.keys() == state.keys()
        assert all(torch.equal(found[name], value) for name, value in state.items())

    def test_another_size_is_named(self, shared: Path, tmp_path: Path) -> None:
        state = zeros(shared, "fan-tiny")
        torch.save({k: v for k, v in state.items() if not k.startswith("blocks.7.")}, tmp_path / "x.pth")
        with pytest.raises(
            BadInputError, match=r"192 channels and 7 blocks, with 3 and 3 blocks in.*fan-tiny 192 and 8"
        ):
            load_weights(tmp_path / "x.pth")

    def test_a_missing_entry_is_named(self, shared: Path, tmp_path: Path) -> None:
        state = zeros(shared, "fan-tiny")
        del state["blocks.3.mlp.temperature"]
        torch.save(state, tmp_path / "x.pth")
        with pytest.raises(BadInputError, match=r"missing: backbone\.blocks\.3\.mlp\.temperature"):
            describe_weights(tmp_path / "x.pth")


class TestParity:
    """Numbers of the published program, computed with weights that follow from the names."""

    @pytest.mark.parametrize("name", ["a", "b"])
    @pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
    def test_logits_tokens_and_gates(
        self, shared: Path, published: FanClassifier, name: str, layout: torch.memory_format
    ) -> None:
        known = np.load(shared / f"fixtures/parity/{PUBLISHED['fan-tiny']}.npz")
        image = torch.from_numpy(known[f"{name}_image"]).permute(2, 0, 1)[None]
        x = normalise(image, *NORMALIZATIONS["imagenet"]).contiguous(memory_format=layout)
        seen = {}
        attention = published.backbone.get_submodule("blocks.0").mlp
        hook = attention.register_forward_hook(
            lambda layer, inputs, _: seen.update(gates=layer.gates(inputs[0]))
        )
        with torch.no_grad():
            logits, maps = published.with_token_maps(x)
            plain = published(x)
        hook.remove()
        assert torch.equal(plain, logits)
        tokens = maps.flatten(2).transpose(1, 2)

        def distance(ours: Tensor, key: str) -> float:
            theirs = known[f"{name}_{key}"]
            return float(np.abs(ours.numpy().reshape(theirs.shape) - theirs).max() / theirs.std())

        assert distance(logits, "cls") < 3e-5
        assert distance(tokens.contiguous(), "token") < 3e-5
        assert distance(combined_logits(logits, tokens), "combined") < 3e-5
        gates = seen["gates"].numpy()
        assert np.abs(gates - known[f"{name}_channel_attention_block0"]).max() < 1e-6
        centred = gates / attention.temperature.detach().numpy()[None] - 0.5
        assert np.abs(centred - known[f"{name}_channel_attention_block0_minus_half"]).max() < 1e-6

    def test_every_part(self, shared: Path, published: FanClassifier) -> None:
        known = np.load(shared / f"fixtures/parity/{PUBLISHED['fan-tiny']}.npz")
        x = normalise(torch.from_numpy(known["b_image"]).permute(2, 0, 1)[None], *NORMALIZATIONS["imagenet"])
        parts = {
            "patch_embed": "backbone.patch_embed",
            "block0": "backbone.blocks.0",
            "block7": "backbone.blocks.7",
            "cls0": "head.cls_attn_blocks.0",
            "cls1": "head.cls_attn_blocks.1",
        }
        seen: dict[str, Tensor] = {}
        for key, name in parts.items():
            published.get_submodule(name).register_forward_hook(
                lambda m, i, o, key=key: seen.update({key: o})
            )
        with torch.no_grad():
            published(x)
            seen["pos_embed"] = published.backbone.get_submodule("pos_embed").encoding(6, 8)
        for key, value in seen.items():
            theirs = known[f"b_{key}"]
            ours = value.flatten(2).transpose(1, 2) if value.ndim == 4 and key != "pos_embed" else value
            assert np.abs(ours.numpy() - theirs).max() < 3e-5 * theirs.std(), key
        assert seen.keys() == parts.keys() | {"pos_embed"}
