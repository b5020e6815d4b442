"""Published stage-1 files: what they are, which entries they lack; the names of the MXNet start weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.models.published.tissue import mxnet_name, published_state
from wsstool.errors import BadInputError
from wsstool.models.backbones import plain_shapes
from wsstool.models.published.tissue_stage1 import describe, torch_name
from wsstool.models.recognise import describe_weights
from wsstool.models.weights import build_from_weights
from wsstool.stages.networks import classifier as classifiers
from wsstool.stages.streams.info import info
from wsstool.types import ClassList


def test_info_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "stage1.pth"
    torch.save({f"module.{k}": v for k, v in published_state().items()}, path)
    assert path.stat().st_size < 10**6
    found = info(path)
    assert found["what"] == "WSSS-Tissue stage 1: ResNet-38d, 4 classes"
    assert found["parameters"] == 105_087_296 and found["tensors"] == 229 and found["arch"] == "resnet38d"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s.pop("b5.conv_branch1.weight"), r"missing: b5.conv_branch1.weight$"),
        (lambda s: s.update(spare=torch.zeros(1)), r"not in the network: spare$"),
        (
            lambda s: s.update({"conv1a.weight": torch.zeros(2)}),
            r"conv1a.weight is \(2,\) instead of \(64, 3, 3, 3\)",
        ),
    ],
)
def test_entries_that_do_not_fit_are_named(tmp_path: Path, change, says: str) -> None:
    state = published_state()
    change(state)
    torch.save(state, tmp_path / "stage1.pth")
    for reading in (describe_weights, build_from_weights):
        with pytest.raises(BadInputError, match=says) as error:
            reading(tmp_path / "stage1.pth")
        assert "stage1.pth" in str(error.value) and "\n" not in str(error.value)


def test_a_network_without_its_head_is_no_classifier_but_start_weights(tmp_path: Path) -> None:
    state = published_state()
    del state["fc8.weight"]
    torch.save(state, tmp_path / "start.pth")
    with pytest.raises(BadInputError, match=r"missing: fc8\.weight"):
        build_from_weights(tmp_path / "start.pth")
    found = describe_weights(tmp_path / "start.pth")
    assert found["fits"] == ["resnet38d"] and "what" not in found


@pytest.mark.parametrize("names", [20, 200])
@pytest.mark.parametrize("head", [False, True])
def test_a_part_of_a_published_file_is_known_as_one(tmp_path: Path, names: int, head: bool) -> None:
    state = dict([*published_state().items()][:names])
    if head:
        state["fc8.weight"] = published_state()["fc8.weight"]
    torch.save(state, tmp_path / "part.pth")
    for reading in (describe_weights, build_from_weights):
        with pytest.raises(BadInputError, match=r"WSSS-Tissue stage 1\) does not .*missing: .* and \d+ more"):
            reading(tmp_path / "part.pth")


def test_other_networks_are_not_taken_for_it(tmp_path: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(1), "fc8.weight": torch.zeros(1)}, tmp_path / "x.pth")
    assert "what" not in describe_weights(tmp_path / "x.pth")


class TestNamesOfClasses:
    @pytest.fixture
    def named(self, monkeypatch):
        """``load_classifier`` of a published file of that name, without its 420 MB."""
        meta = describe(published_state(), "stage1.pth")
        monkeypatch.setattr(classifiers, "build_from_weights", lambda path, weights: (None, meta))
        return lambda name, classes=None: classifiers.load_classifier(
            Path(name), classes or ClassList(()), is_named=classes is not None
        )[1]

    def test_of_the_file(self, named) -> None:
        luad = named("checkpoints/stage1_checkpoint_trained_on_luad.pth")
        assert luad["classes"] == ["TE", "NEC", "LYM", "TAS", "background"]
        assert luad["palette"][0] == [205, 51, 51]
        assert named("BCSS.pth")["classes"] == ["TUM", "STR", "LYM", "NEC", "background"]
        assert named("stage1.pth")["classes"] == ["class_0", "class_1", "class_2", "class_3"]

    def test_of_the_class_list(self, named) -> None:
        found = named("luad.pth", ClassList(("a", "b", "c", "d", "background"), 4))
        assert found["class_ids"] == [0, 1, 2, 3] and found["background"] == 4
        assert found["classes"][0] == "a" and found["mean"] == [0, 0, 0] and found["std"] == [1, 1, 1]

    def test_too_few_names(self, named) -> None:
        with pytest.raises(BadInputError, match="has 4 classes, but the class list has 2"):
            named("luad.pth", ClassList(("a", "b")))


class TestMxnetNames:
    def test_every_entry_has_a_name(self) -> None:
        for key in plain_shapes("resnet38d"):
            if not key.endswith("num_batches_tracked"):
                assert torch_name(mxnet_name(key)) == torch_name(mxnet_name(key)[4:]) == key

    @pytest.mark.parametrize("name", ["arg:linear1000_weight", "arg:fc_bias", "data", "", "arg:bn7_scale"])
    def test_the_rest_is_dropped(self, name: str) -> None:
        assert torch_name(name) is None
