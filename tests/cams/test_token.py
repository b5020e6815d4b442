"""Token maps: the outputs of the token head, their probabilities, and passes of other sizes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.cams.networks import batch, small_classifier, small_transformer
from tests.models.fan.parity import PUBLISHED, fixture_state
from wsstool.cams import Cams, Probabilities, multiscale
from wsstool.cams.cam import cam
from wsstool.cams.token import token
from wsstool.errors import UsageError
from wsstool.models.classifier import NORMALIZATIONS, build_classifier, normalise
from wsstool.models.weights import build_from_weights

EVERY = torch.ones(4, 3, dtype=torch.bool)


@pytest.fixture(scope="module")
def model():
    return small_transformer()


class TestValues:
    def test_logits_are_those_of_the_token_head(self, model):
        x, _ = batch(side=(48, 64))
        class_logits, maps = model.with_token_maps(x)
        found = token(model, x, EVERY, values="logits")
        assert type(found) is Cams
        torch.testing.assert_close(found.maps[0], maps)
        torch.testing.assert_close(found.logits, class_logits)

    def test_exclusive_classes_sum_to_one(self, model):
        x, _ = batch(side=(48, 64))
        raw = token(model, x, EVERY, values="logits").maps[0]
        found = token(model, x, EVERY, single_label=True)
        assert isinstance(found, Probabilities)
        torch.testing.assert_close(found.maps[0].sum(1), torch.ones(4, 3, 4))
        odds = found.maps[0][:, 0] / found.maps[0][:, 2]
        torch.testing.assert_close(odds, (raw[:, 0] - raw[:, 2]).exp())

    def test_classes_that_occur_together_are_judged_alone(self, model):
        x, _ = batch(side=(48, 64))
        raw = token(model, x, EVERY, values="logits").maps[0]
        torch.testing.assert_close(token(model, x, EVERY).maps[0], 1 / (1 + (-raw).exp()))

    def test_probabilities_are_among_all_classes_whichever_are_asked_for(self, model):
        x, targets = batch(side=(48, 64))
        every = token(model, x, EVERY, single_label=True).maps[0]
        some = token(model, x, targets, single_label=True).maps[0]
        assert torch.equal(some[targets], every[targets])

    def test_published_network(self, shared: Path, tmp_path: Path):
        torch.save({"state_dict_ema": fixture_state(shared)}, tmp_path / "tiny.pth.tar")
        network, meta = build_from_weights(tmp_path / "tiny.pth.tar")
        known = np.load(shared / f"fixtures/parity/{PUBLISHED['fan-tiny']}.npz")
        x = normalise(torch.from_numpy(known["b_image"]).permute(2, 0, 1)[None], *NORMALIZATIONS["imagenet"])
        every = torch.ones(1, 1000, dtype=torch.bool)
        found = multiscale(partial(token, values="logits"), network, x, every)
        theirs = known["b_token"]
        ours = found.maps[0].flatten(2).transpose(1, 2).numpy().reshape(theirs.shape)
        assert np.abs(ours - theirs).max() < 3e-5 * theirs.std()
        assert meta["single_label"] is True
        probabilities = token(network, x, every, single_label=meta["single_label"]).maps[0]
        expected = np.exp(theirs - theirs.max(-1, keepdims=True))
        expected /= expected.sum(-1, keepdims=True)
        ours = probabilities.flatten(2).transpose(1, 2).numpy().reshape(theirs.shape)
        np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-6)


class TestPasses:
    def test_one_forward_pass(self, model, monkeypatch):
        calls = []
        hook = model.backbone.register_forward_hook(lambda *_: calls.append(1))
        monkeypatch.setattr(torch.autograd, "grad", pytest.fail)
        found = token(model, batch(side=(48, 64))[0], EVERY)
        hook.remove()
        assert calls == [1]
        assert not found.maps[0].is_inference() and not found.logits.is_inference()

    def test_probabilities_are_averaged(self, model):
        x, _ = batch(side=(48, 64))
        method = partial(token, single_label=True)
        found = multiscale(method, model, x, EVERY, scales=(1.0, 2.0), flip=True, rectify=True)
        assert isinstance(found, Probabilities) and found.maps[0].shape == (4, 3, 6, 8)
        large = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        mean = torch.zeros(4, 3, 6, 8)
        for view in (x, large):
            both = method(model, view, EVERY).maps[0], method(model, view.flip(-1), EVERY).maps[0].flip(-1)
            for one in both:
                mean += F.interpolate(one, (6, 8), mode="bilinear", align_corners=False) / 4
        torch.testing.assert_close(found.maps[0], mean)
        torch.testing.assert_close(found.maps[0].sum(1), torch.ones(4, 6, 8))

    def test_logits_are_summed(self, model):
        x, _ = batch(side=(48, 64))
        method = partial(token, values="logits")
        found = multiscale(method, model, x, EVERY, flip=True)
        assert type(found) is Cams
        mirrored = method(model, x.flip(-1), EVERY).maps[0].flip(-1)
        torch.testing.assert_close(found.maps[0], method(model, x, EVERY).maps[0] + mirrored)


class Ramp(torch.nn.Module):
    """Maps of a padded image that say where they are: one cell per 16 pixels, its centre's row and column."""

    input_multiple = 16

    def maps(self, x: torch.Tensor) -> torch.Tensor:
        rows, columns = (-(-n // 16) for n in x.shape[2:])
        centres = [16.0 * torch.arange(n) + 8 for n in (rows, columns)]
        return torch.stack(torch.meshgrid(*centres, indexing="ij"))[None]


def ramp(model, x, targets, layers):
    return Cams((model.maps(x),), torch.zeros(1, 2))


class TestPadding:
    @pytest.mark.parametrize("side", [(40, 70), (33, 64), (64, 95)])
    def test_is_cut_off(self, side):
        x, targets = torch.zeros(1, 3, *side), torch.ones(1, 2, dtype=torch.bool)
        found = multiscale(ramp, Ramp(), x, targets).maps[0][0]
        for axis, n in enumerate(side):
            cells = -(-n // 16)
            centres = (torch.arange(cells) + 0.5) * n / cells  # of equal parts of the image
            line = found[axis].movedim(axis, 0)[:, 0]
            torch.testing.assert_close(line, centres.clamp(min=8))

    def test_nothing_changes_without(self, model):
        x, targets = batch(side=(48, 64))
        assert torch.equal(multiscale(token, model, x, targets).maps[0], token(model, x, targets).maps[0])

    def test_probabilities_still_sum_to_one(self, model):
        x, _ = batch(side=(40, 50))
        method = partial(token, single_label=True)
        found = multiscale(method, model, x, EVERY, scales=(1.0, 1.3), flip=True)
        assert found.maps[0].shape == (4, 3, 4, 5)
        torch.testing.assert_close(found.maps[0].sum(1), torch.ones(4, 4, 5))


class TestRefusals:
    def test_networks_without_token_head(self):
        x, targets = batch(side=(48, 64))
        for network in (small_classifier(), build_classifier("fan-micro", 3)):
            with pytest.raises(
                UsageError, match=r"^token needs a network trained with a token head; use gradcam"
            ):
                token(network, x, targets)

    def test_other_layers(self, model):
        x, targets = batch(side=(48, 64))
        with pytest.raises(UsageError, match=r"not blocks\.1; use gradcam for other layers"):
            token(model, x, targets, ("blocks.1",))
        assert token(model, x, targets, ("blocks.3",)).maps[0].shape == (4, 3, 3, 4)

    def test_other_values(self, model):
        with pytest.raises(UsageError, match="values must be probability or logits, not 'softmax'"):
            token(model, *batch(side=(48, 64)), values="softmax")

    def test_cam_of_a_class_token(self, model):
        with pytest.raises(UsageError, match="use gradcam for other layers"):
            cam(model, *batch(side=(48, 64)))
