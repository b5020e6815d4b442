"""``export`` of published weights: which network they are, which of their weights, and names of classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from tests.messages import Heard
from tests.models.published.test_fcn_weights import of_shapes
from tests.stages.chain import write_data, write_masks
from tests.stages.networks.test_published_copies import classifier_state, segmenter_state
from wsstool.cli.app import app
from wsstool.errors import BadInputError, UsageError
from wsstool.models.weights import Weights, load_weights
from wsstool.stages.exchange import network
from wsstool.stages.exchange.export import export
from wsstool.stages.networks.segmenter import open_segmenter
from wsstool.stages.options.exchange import ExportOptions
from wsstool.stages.streams.info import info
from wsstool.types import ClassList


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published segmenter with the last weights and their average."""
    path = tmp_path_factory.mktemp("published") / "both.pth"
    torch.save({"state_dict": segmenter_state(1), "state_dict_ema": segmenter_state(2), "epoch": 3}, path)
    return path


def opened(path: Path, heard: Heard | None = None, **options: Any) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a file and its description, before it is traced."""
    return network._described_network(path, ExportOptions(output=Path("x.pt2"), **options), heard or Heard())


def first(network: nn.Module) -> Tensor:
    return next(one for one in network.parameters() if one.ndim == 4)


@pytest.mark.slow  # traces a transformer
def test_the_written_network_is_that_of_predict(both: Path, tmp_path: Path) -> None:
    export(both, output=tmp_path / "seg.pt2", class_list="sky,sea,land", averaged=False)
    image = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    logits, mask = torch.export.load(tmp_path / "seg.pt2").module()(image)
    loaded = load_weights(both, averaged=False)
    wanted = open_segmenter(both, torch.device("cpu"), ClassList(()), loaded=loaded).probabilities(image)
    torch.testing.assert_close(logits.softmax(1), wanted, rtol=1e-4, atol=1e-5)
    assert np.array_equal(mask.numpy(), wanted.argmax(1).numpy())
    assert info(tmp_path / "seg.pt2")["classes"] == ["sky", "sea", "land"]


def test_average_or_last(both: Path, tmp_path: Path) -> None:
    heard = Heard()
    average, last = opened(both, heard)[0], opened(both, heard, averaged=False)[0]
    assert not heard.warned and not torch.equal(first(average), first(last))
    torch.save({"state_dict": segmenter_state(1)}, tmp_path / "last.pth")
    alone = opened(tmp_path / "last.pth", heard, averaged=False)[0]
    assert torch.equal(first(alone), first(last))
    assert "--no-ema does nothing: no second set of weights" in heard.text


def test_a_file_that_fits_two_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unbuilt(path: Path, weights: Weights) -> tuple[nn.Module, dict[str, Any]]:
        return nn.Identity(), weights.meta  # the network has 134 million weights

    monkeypatch.setattr(network, "build_from_weights", unbuilt)
    torch.save(of_shapes("fcn8s"), tmp_path / "fcn8s.pth")
    assert opened(tmp_path / "fcn8s.pth")[1]["arch"] == "fcn8s-vgg-16"
    meta = opened(tmp_path / "fcn8s.pth", arch="fcn8s-at-once-vgg16")[1]
    assert meta["arch"] == "fcn8s-at-once-vgg-16" and meta["classes"][:2] == ["background", "aeroplane"]
    with pytest.raises(UsageError, match="which is not --arch fcn32s-vgg-16"):
        opened(tmp_path / "fcn8s.pth", arch="fcn32s-vgg-16")


def test_a_classifier(tmp_path: Path) -> None:
    torch.save({"state_dict_ema": classifier_state(1)}, tmp_path / "fan.pth")
    _, meta = opened(tmp_path / "fan.pth", arch="fan-micro", class_list="a,b,c")
    assert meta["task"] == "classification" and meta["classes"] == ["a", "b", "c"]
    with pytest.raises(UsageError, match=r"fan\.pth' is .*, which is not --arch fan-tiny"):
        opened(tmp_path / "fan.pth", arch="fan-tiny")


def test_class_lists(both: Path) -> None:
    assert opened(both)[1]["classes"] == ["class_0", "class_1", "class_2"]
    with pytest.raises(BadInputError, match="has 3 classes, but the class list has 2; name the matc"):
        opened(both, class_list="sky,sea")


def test_options_of_networks_do_nothing_for_records(tmp_path: Path) -> None:
    masks = write_masks(tmp_path / "masks.h5", write_data(tmp_path / "data"))
    arguments = ["export", str(masks), "-o", str(tmp_path / "out"), "--arch", "fcn8s-tiny", "--no-ema"]
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 0
    assert "--arch, --ema do nothing for files other than weights" in found.output
