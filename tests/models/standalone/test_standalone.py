"""Every network leaves as one graph for every size, which gives what the network gives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.models.standalone.networks import MEAN, QUICK, REST, STD, perturbed, segmenter
from wsstool.errors import WsstoolError
from wsstool.expressions.tokenizer import MAX_WORDS
from wsstool.models import class_probabilities
from wsstool.models.classifier import TOPK_FRACTION, _topk_count
from wsstool.models.heads.upscore import Upscore
from wsstool.models.referring.words import WordEncoder
from wsstool.models.standalone import onnx_file, pixels, pt2_file
from wsstool.models.standalone.agreement import TOLERANCE, largest_difference
from wsstool.models.standalone.trace import Traced, trace

CASES = [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in REST)]


@pytest.fixture(scope="module", params=CASES)
def traced(request) -> Iterator[Traced]:
    torch.manual_seed(0)
    yield trace({**QUICK, **REST}[request.param]())


def test_pt2(traced: Traced, tmp_path) -> None:
    pt2_file.write(traced, tmp_path / "x.pt2", {"task": "any"})
    assert largest_difference(traced, pt2_file.runner(tmp_path / "x.pt2")) < TOLERANCE


def test_onnx(traced: Traced, tmp_path) -> None:
    for name in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(name, reason=f"{name} of the extra onnx is not installed")
    onnx_file.write(traced, tmp_path / "x.onnx", {"task": "any", "classes": ["a", "b"]})
    assert largest_difference(traced, onnx_file.runner(tmp_path / "x.onnx")) < TOLERANCE


def test_a_segmenter_gives_what_predict_computes() -> None:
    """The wrapped network on pixels, against the probabilities of the plain one on a normalised image."""
    torch.manual_seed(0)
    network = segmenter("fcn-tiny")
    image = torch.randint(0, 256, (2, 3, 35, 50), dtype=torch.uint8)
    x = (image / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    expected = class_probabilities.class_probabilities([network.network], x, stride=8)
    logits, mask = network(image)
    torch.testing.assert_close(logits.softmax(1), expected)
    assert torch.equal(mask, torch.tensor([2, 0, 5], dtype=torch.uint8)[expected.argmax(1)])
    assert torch.equal(network(image.float())[0], logits)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: perturbed(found, 2 * TOLERANCE), "differs from torch by 2.0e-04"),
        (lambda found: perturbed(found, float("nan")), "differs from torch by nan"),
        (lambda found: [found[0], 2 - found[1]], "not the class of its largest"),
        (lambda found: [found[0].astype(np.float64), found[1]], "another shape or type"),
        (lambda found: [found[0][..., 1:], found[1]], "another shape or type"),
    ],
)
def test_another_result_is_refused(change, message) -> None:
    network = segmenter("linear-tiny")
    eager = Traced(network, program=None, least_side=None)  # type: ignore[arg-type]

    def run(inputs):
        with torch.no_grad():
            return change([one.numpy() for one in network(*map(torch.from_numpy, inputs))])

    with pytest.raises(WsstoolError, match=message):
        largest_difference(eager, run)


def test_a_graph_for_one_size_is_refused() -> None:
    network = segmenter("linear-tiny")
    network.forward = lambda image: (image.float().reshape(-1, 3, 27, 29),)  # type: ignore[method-assign, assignment]
    with pytest.raises(WsstoolError, match="one size only"):
        trace(network)


class TestTracedForms:
    """What layers do while they are traced, run eagerly, is what they do otherwise."""

    @pytest.fixture
    def compiling(self, monkeypatch) -> None:
        monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)

    @pytest.mark.parametrize("size", [(16, 24), (17, 23)])
    def test_padding_and_cropping(self, compiling, size) -> None:
        x = torch.randn(1, 2, *size)
        bottom, right = -size[0] % 8, -size[1] % 8
        wide = class_probabilities.padded(x, 8)
        assert torch.equal(wide, F.pad(x, (0, right, 0, bottom), mode="replicate"))
        assert torch.equal(class_probabilities.cropped(wide, size), x)
        assert torch.equal(class_probabilities.cropped(x, (3, 4), (2, 1)), x[..., 2:5, 1:5])

    def test_words(self, monkeypatch) -> None:
        torch.manual_seed(0)
        encoder = WordEncoder(9, channels=4, hidden=3)
        words = torch.tensor([[0, 0, 5, 2], [3, 8, 4, 6], [0, 0, 0, 1], [7, 5, 0, 0]])
        packed = encoder(words)
        monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
        stepwise = encoder(words)
        torch.testing.assert_close(stepwise.state, packed.state)
        assert torch.equal(stepwise.known.sum(1), packed.known.sum(1))

    def test_upsampling_is_looked_at_before(self, compiling) -> None:
        layer = Upscore(2, 4, 8)
        assert not layer.is_bilinear  # not yet looked at: the general form, which is always right
        x = torch.randn(1, 2, 3, 4)
        general = layer(x)
        layer._is_bilinear = True
        torch.testing.assert_close(layer(x), general)


def test_sentences_have_the_length_of_the_vocabulary() -> None:
    assert pixels.WORDS == MAX_WORDS


def test_share_of_positions_in_whole_numbers() -> None:
    assert all(_topk_count(n) == max(1, round(TOPK_FRACTION * n)) for n in range(1, 5000))
