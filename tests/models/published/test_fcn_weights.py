"""What FCNs start from and read: VGG-16 transplanted, coarser FCNs, other classes, published files."""

from __future__ import annotations

import importlib.util
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.fixtures import listed
from tests.models.heads.fcn_networks import lively, small_fcn
from wsstool.errors import BadInputError, UsageError
from wsstool.models.classifier import normalise
from wsstool.models.fcn_initialisation import start_fcn, transplanted
from wsstool.models.heads.fcn import build_fcn
from wsstool.models.recognise import describe_weights
from wsstool.models.weights import build_from_weights
from wsstool.runtime import pick_device
from wsstool.stages.networks.output_names import named_outputs
from wsstool.stages.networks.segmenter import open_segmenter
from wsstool.types import ClassList

PARITY = Path("fixtures/parity")


def small_vgg16(channels: tuple[int, ...] = (4, 4, 5, 6, 6), width: int = 8) -> nn.Module:
    """torchvision's VGG-16 in its own names, with few channels; the classifier reads 7 x 7 cells."""
    features: list[nn.Module] = []
    inside = 3
    for block, outside in enumerate(channels):
        for _ in range(2 if block < 2 else 3):
            features += [nn.Conv2d(inside, outside, 3, padding=1), nn.ReLU()]
            inside = outside
        features.append(nn.MaxPool2d(2))
    hidden = [nn.Linear(49 * inside, width), nn.ReLU(), nn.Dropout(), nn.Linear(width, width), nn.ReLU()]
    classifier = nn.Sequential(*hidden, nn.Dropout(), nn.Linear(width, 10))
    torch.manual_seed(2)
    network = nn.Sequential(OrderedDict(features=nn.Sequential(*features), classifier=classifier))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.uniform_(layer.bias, 0, 0.1)
    return network.eval()


def hidden_layer(network: nn.Module, x: Tensor) -> Tensor:
    return network.classifier[:5](network.features(x).flatten(1))


def test_transplanted_classifier_slides_over_larger_images() -> None:
    """At one position on 224 x 224; at 2 x 3 positions, 32 pixels apart, on 256 x 288."""
    vgg = small_vgg16()
    network = small_fcn("fcn32s").eval()
    assert start_fcn(network, vgg.state_dict(), "vgg") == "the backbone"
    network.conv1_1.padding = (1, 1)  # the classifier's own, in place of 100
    x = torch.randn(1, 3, 256, 288, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        (one,) = network.backbone.features_of(x[..., :224, :224], ["drop7"])
        torch.testing.assert_close(one[..., 0, 0], hidden_layer(vgg, x[..., :224, :224]))
        (cells,) = network.backbone.features_of(x, ["drop7"])
        assert cells.shape[-2:] == (2, 3)
        # of the same features: what the convolutions see at the border of a window differs from within
        features = vgg.features(x)
        for row in range(2):
            for column in range(3):
                window = features[..., row : row + 7, column : column + 7]
                wanted = vgg.classifier[:5](window.flatten(1))
                torch.testing.assert_close(cells[..., row, column], wanted, rtol=1e-4, atol=1e-5)


def test_torchvisions_names_all_find_their_place() -> None:
    import torchvision

    with torch.device("meta"):
        theirs = transplanted(torchvision.models.vgg16(weights=None).state_dict())
        ours = build_fcn("fcn32s", "vgg-16", 2).backbone.state_dict()
    assert {k: v.shape for k, v in theirs.items()} == {k: v.shape for k, v in ours.items()}


def test_start_without_fc_layers_and_with_foreign_ones() -> None:
    vgg = small_vgg16().state_dict()
    convolutions = {f"backbone.{k}": v for k, v in vgg.items() if k.startswith("features")}
    assert "without fc6" in start_fcn(small_fcn("fcn8s"), convolutions, "cls.pth")
    del convolutions["backbone.features.28.bias"]
    with pytest.raises(BadInputError, match=r"cls.pth cannot initialise vgg-16.*conv5_3.bias"):
        start_fcn(small_fcn("fcn8s"), convolutions, "cls.pth")


@pytest.mark.parametrize(("coarse", "fine"), [("fcn32s", "fcn16s"), ("fcn16s", "fcn8s")])
def test_a_finer_network_starts_with_the_output_of_the_coarser_one(coarse: str, fine: str) -> None:
    """Exactly where two bilinear steps are one: of constant scores, within the outermost cells."""
    before, after = lively(small_fcn(coarse)), small_fcn(fine).eval()
    assert start_fcn(after, before.state_dict(), "before") == "the tensors that both have in common"
    x = torch.randn(1, 3, 60, 60)
    with torch.no_grad():
        torch.testing.assert_close(before.backbone(x), after.backbone(x))
        one, two = before(x), after(x)
        assert (one - two).abs().mean() < 0.1 * one.std()  # two bilinear steps are nearly one
        for network in (before, after):
            for tap in network.taps:
                network.get_submodule(tap.score).weight.zero_()
        torch.testing.assert_close(before(x)[..., 25:, 25:], after(x)[..., 25:, 25:], rtol=1e-5, atol=1e-5)


def test_generic_stages_share_what_they_have_in_common() -> None:
    before, after = lively(build_fcn("fcn8s", "tiny", 3)), build_fcn("fcn4s", "tiny", 3).eval()
    start_fcn(after, before.state_dict(), "before")
    assert torch.equal(after.score_8.weight, before.score_8.weight)
    assert not after.score_4.weight.any()
    again = build_fcn("fcn4s", "tiny", 3)
    assert start_fcn(again, after.state_dict(), "after") == "everything"


def test_growing_the_class_set_keeps_the_scores_of_the_old_classes() -> None:
    old = lively(small_fcn("fcn16s", 3), upscores=True)
    x = torch.randn(1, 3, 30, 40)
    grown, moved, fewer = (small_fcn("fcn16s", n).eval() for n in (5, 4, 2))
    start_fcn(grown, old.state_dict(), "old")
    start_fcn(moved, old.state_dict(), "old", rows=[2, None, 0, 1])
    start_fcn(fewer, old.state_dict(), "old")
    with torch.no_grad():
        before, after = old(x), grown(x)
        assert (after[:, :3] - before).abs().max() < 3e-5 * before.std()
        assert not after[:, 3:].any()
        assert (moved(x)[:, [2, 3, 0]] - before).abs().max() < 3e-5 * before.std()
        assert not fewer(x).any()  # nobody knows which two are meant


@pytest.fixture(scope="module")
def fixture_state(shared: Path) -> dict[str, Tensor]:
    spec = importlib.util.spec_from_file_location("weights_rule", shared / PARITY / "weights_rule.py")
    assert spec and spec.loader
    rule = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rule)
    keys = listed("fcn/fcn8s.keys")["keys"]
    return {name: torch.from_numpy(value) for name, value in rule.make_state(keys).items()}


@pytest.fixture(scope="module")
def published(fixture_state: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A converted file: a bare state dict."""
    path = tmp_path_factory.mktemp("published") / "fcn8s_from_caffe.pth"
    torch.save(OrderedDict(fixture_state), path)
    return path


def test_a_published_file_gives_the_published_output(shared: Path, published: Path) -> None:
    """From RGB pixels in [0, 255], by what the description says."""
    stored = np.load(shared / PARITY / "pytorch_fcn_fcn8s.npz")
    network, meta = build_from_weights(published)
    assert meta["arch"] == "fcn8s-vgg-16"
    parts: dict[str, Tensor] = {}
    for name in ("score_fr", "score_pool4", "score_pool3", "upscore2", "upscore_pool4"):
        network.get_submodule(name).register_forward_hook(
            lambda _, __, output, name=name: parts.update({name: output})
        )
    for case in "ab":
        pixels = torch.from_numpy(stored[f"{case}_image"]).movedim(-1, 0)[None]
        with torch.no_grad():
            score = network(normalise(pixels, meta["mean"], meta["std"]))
        for name, found in {"score": score, **parts}.items():
            wanted = stored[f"{case}_{name}"]
            found = found.numpy()[..., : wanted.shape[-2], : wanted.shape[-1]]
            assert np.abs(found - wanted).max() / wanted.std() < 3e-5, (case, name)


def test_a_published_file_is_named(published: Path) -> None:
    said = describe_weights(published)
    assert said["what"].startswith("pytorch-fcn: FCN-8s VGG-16, 21 classes (if trained at once")
    assert said["parameters"] == 134_489_759 and said["tensors"] == 39
    classes, ids = named_outputs(said["meta"], ClassList(("a", "b")), published)
    assert classes.names[:2] == ("background", "aeroplane") and ids == list(range(21))
    assert classes.background == 0


def of_shapes(name: str) -> dict[str, Tensor]:
    """A published state dict that is small on the disk: single zeros seen at full size."""
    return {key: torch.zeros(1).expand(shape) for key, shape, _ in listed(f"fcn/{name}.keys")["keys"]}


@pytest.mark.parametrize(
    ("name", "arch", "says"),
    [
        ("fcn32s", None, "FCN-32s VGG-16"),
        ("fcn16s", "FCN16s", "FCN-16s VGG-16"),
        ("fcn8s", "FCN8s", "FCN-8s VGG-16, 21 classes"),
        ("fcn8s", "FCN8sAtOnce", "FCN-8s-at-once VGG-16"),
    ],
)
def test_training_checkpoints_say_which_they_are(
    tmp_path: Path, name: str, arch: str | None, says: str
) -> None:
    content = {"epoch": 3, "iteration": 9, "arch": arch, "model_state_dict": of_shapes(name)}
    torch.save({k: v for k, v in content.items() if v is not None}, tmp_path / "checkpoint.pth.tar")
    what = describe_weights(tmp_path / "checkpoint.pth.tar")["what"]
    assert says in what and "--arch" not in what


def test_at_once_by_an_explicit_switch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same file in both networks; a file that says what it is, is believed."""
    torch.save(of_shapes("fcn8s"), tmp_path / "fcn8s.pth")
    monkeypatch.setattr("wsstool.stages.networks.segmenter.load_state", lambda *_: None)
    monkeypatch.setattr(nn.init, "kaiming_normal_", lambda weight, **_: weight)
    cpu, nothing = pick_device("cpu"), ClassList(())
    staged = open_segmenter(tmp_path / "fcn8s.pth", cpu, nothing)
    at_once = open_segmenter(tmp_path / "fcn8s.pth", cpu, nothing, arch="fcn8s-at-once-vgg16")
    assert [[t.scale for t in one.networks[0].taps] for one in (staged, at_once)] == [  # type: ignore[union-attr]
        [1, 1, 1],
        [1, 0.01, pytest.approx(0.0001)],
    ]
    own = tmp_path / "own.pth"
    network = build_fcn("fcn8s", "tiny", 2)
    meta = {"arch": "fcn8s-tiny", "task": "segmentation", "class_ids": [0, 1], "classes": ["a", "b"]}
    torch.save({"state_dict": network.state_dict(), "meta": meta}, own)
    with pytest.raises(UsageError, match="contains fcn8s-tiny"):
        open_segmenter(own, cpu, nothing, arch="fcn4s-tiny")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    state = of_shapes("fcn16s")
    del state["conv4_2.bias"]
    torch.save(state, tmp_path / "broken.pth")
    with pytest.raises(BadInputError, match=r"FCN-16s VGG-16.*missing: conv4_2.bias"):
        describe_weights(tmp_path / "broken.pth")
