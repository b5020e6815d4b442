"""Each method against a case on paper, an independent slow reference, and the laws between methods."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models import resnet18

from tests.cams.networks import batch, small_classifier
from wsstool.cams import activations
from wsstool.cams.cam import cam
from wsstool.cams.gradcam import gradcam, mean_gradient
from wsstool.cams.gradcam_plus_plus import gradcam_plus_plus
from wsstool.cams.layercam import layercam
from wsstool.cams.scorecam import scorecam
from wsstool.errors import UsageError

LAYERS = ("backbone.5", "backbone.1", "backbone.3")


def paper_network():
    """Two layers on paper: channels [x1, x2], class 0 = x1 + 2 x2, class 1 = -x1, mean pool."""
    first, head = nn.Conv2d(3, 2, 1, bias=False), nn.Linear(2, 2)
    first.weight.data = torch.tensor([[1.0, 0, 0], [0, 1, 0]])[:, :, None, None]
    head.weight.data, head.bias.data = torch.tensor([[1.0, 2], [-1, 0]]), torch.tensor([5.0, 7])
    model = nn.Sequential(first, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    x = torch.tensor([[[[4.0, 0], [0, 0]], [[0, 0], [0, 8]], [[0, 0], [0, 0]]]])
    return model, x, torch.tensor([[True, True]])


class TestOnPaper:
    def test_cam(self):
        model, x, targets = paper_network()
        maps, logits = cam(model, x, targets, ("0",))
        assert maps[0].tolist() == [[[[4, 0], [0, 16]], [[-4, 0], [0, 0]]]]
        assert logits.tolist() == [[10, 6]]

    def test_gradcam(self):
        model, x, targets = paper_network()
        assert gradcam(model, x, targets, ("0",)).maps[0].tolist() == [[[[1, 0], [0, 4]], [[-1, 0], [0, 0]]]]

    def test_layercam_drops_negative_gradients(self):
        model, x, targets = paper_network()
        assert layercam(model, x, targets, ("0",)).maps[0].tolist() == [[[[1, 0], [0, 4]], [[0, 0], [0, 0]]]]

    def test_gradcam_plus_plus(self):
        # class 0, channel 1: g = 1/4, sum of A = 4: alpha = 1 / (2 + 1), w = 4 * 1/3 * 1/4 = 1/3
        # channel 2: g = 1/2, sum of A = 8: alpha = 1 / (2 + 4), w = 4 * 1/6 * 1/2 = 1/3
        model, x, targets = paper_network()
        expected = torch.tensor([[[[4 / 3, 0], [0, 8 / 3]], [[0, 0], [0, 0]]]])
        torch.testing.assert_close(gradcam_plus_plus(model, x, targets, ("0",)).maps[0], expected)

    def test_scorecam(self):
        # each channel is its own mask: logits (1 + 5, -1 + 7) through channel 1, (4 + 5, 7) through channel 2
        model, x, targets = paper_network()
        a, b = torch.tensor([6.0, 9]).softmax(0)
        c, d = torch.tensor([6.0, 7]).softmax(0)
        expected = torch.tensor([[[[4 * a, 0], [0, 8 * b]], [[4 * c, 0], [0, 8 * d]]]])
        torch.testing.assert_close(scorecam(model, x, targets, ("0",)).maps[0], expected)

    def test_gradcam_plus_plus_where_alpha_is_undefined(self):
        a, g = torch.full((1, 1, 1, 2), 1.0), torch.full((1, 1, 1, 2), -1.0)  # 2 + g * sum(A) = 0
        maps = gradcam_plus_plus.__globals__["position_weighted_gradient"](a, g)
        assert maps.tolist() == [[[0, 0]]]


def slow_reference(model, x, layer, c, formula):
    """One image, one class, one layer: autograd through the whole network."""
    kept = {}

    def keep(module, inputs, output):
        kept["a"] = output
        return output * 1

    handle = model.get_submodule(layer).register_forward_hook(keep)
    score = model(x[None])[0, c]
    handle.remove()
    (g,) = torch.autograd.grad(score, kept["a"])
    return formula(kept["a"][0].detach(), g[0])


def gradcam_formula(a, g):
    return sum(gk.mean() * ak for ak, gk in zip(a, g, strict=True))


def layercam_formula(a, g):
    return sum(gk.clamp(min=0) * ak for ak, gk in zip(a, g, strict=True))


def gradcam_plus_plus_formula(a, g):
    total = torch.zeros_like(a[0])
    for ak, gk in zip(a, g, strict=True):
        weight = 0.0
        for value in gk.flatten().tolist():
            if value > 0:
                weight += value * value**2 / (2 * value**2 + float(ak.sum()) * value**3)
        total = total + weight * ak
    return total


@pytest.mark.parametrize(
    ("method", "formula"),
    [
        (gradcam, gradcam_formula),
        (gradcam_plus_plus, gradcam_plus_plus_formula),
        (layercam, layercam_formula),
    ],
)
@pytest.mark.parametrize("pool", ["average", "max", "lse", "topk"])
def test_against_autograd_class_by_class(method, formula, pool):
    x, targets = batch()
    model = small_classifier(pool)
    found = method(model, x, targets, LAYERS).maps
    for layer, maps in zip(LAYERS, found, strict=True):
        for i, c in targets.nonzero().tolist():
            expected = slow_reference(model, x[i], layer, c, formula)
            torch.testing.assert_close(maps[i, c], expected, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("pool", ["average", "max", "lse", "topk"])
def test_last_layer_gradcam_is_cam_over_area_without_backward(pool, monkeypatch):
    x, targets = batch()
    model = small_classifier(pool)
    with_autograd = activations.gradient_maps(model, x, targets, (), mean_gradient).maps[0]
    monkeypatch.setattr(torch.autograd, "grad", None)
    found = gradcam(model, x, targets).maps[0]
    assert torch.equal(found, cam(model, x, targets).maps[0] / (5 * 7))
    torch.testing.assert_close(found, with_autograd, rtol=1e-4, atol=1e-6)


def test_cam_of_a_classifier_is_its_class_maps_without_bias():
    x, targets = batch()
    model = small_classifier()
    expected = model.class_maps(x) - model.head.bias[:, None, None]
    torch.testing.assert_close(cam(model, x, targets).maps[0][targets], expected[targets])


def test_pool_that_does_not_shift_takes_the_backward_pass():
    x, targets = batch()
    model = small_classifier()
    model.forward = lambda x: model.class_maps(x).mean((2, 3)) ** 3  # head(features) pooled is not the logit
    found = gradcam(model, x, targets).maps[0]
    slope = 3 * small_classifier()(x)[:, :, None, None] ** 2
    torch.testing.assert_close(found, (slope * gradcam(small_classifier(), x, targets).maps[0]).detach())
    with pytest.raises(UsageError, match="linear head"):
        cam(model, x, targets)


def test_cam_refuses_other_layers():
    x, targets = batch()
    with pytest.raises(UsageError, match=r"not on backbone.3; use gradcam for other layers"):
        cam(small_classifier(), x, targets, ("backbone.3",))


def test_networks_from_elsewhere():
    torch.manual_seed(0)
    model = resnet18(num_classes=4).eval()
    x, targets = torch.randn(2, 3, 64, 64), torch.tensor([[1, 0, 0, 1], [0, 1, 0, 0]], dtype=torch.bool)
    maps = cam(model, x, targets, ("layer4",)).maps[0]
    torch.testing.assert_close(
        maps[0, 3], torch.einsum("f,fhw->hw", model.fc.weight[3], features(model, x)[0])
    )
    found = gradcam(model, x, targets, ("layer4", "layer2.0.bn1", "layer3")).maps
    torch.testing.assert_close(found[0], maps / 4)
    for layer, m in zip(("layer2.0.bn1", "layer3"), found[1:], strict=True):
        expected = slow_reference(model, x[1], layer, 1, gradcam_formula)
        torch.testing.assert_close(m[1, 1], expected, rtol=1e-3, atol=1e-5)


def features(model, x):
    for layer in list(model.children())[:-2]:
        x = layer(x)
    return x.detach()


def test_one_forward_and_one_backward_for_each_kth_class(monkeypatch):
    x, targets = batch()  # at most three classes an image
    model, forwards, backwards = small_classifier(), [], []
    model.register_forward_hook(lambda *a: forwards.append(1))
    grad = torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **k: backwards.append(1) or grad(*a, **k))
    layercam(model, x, targets, LAYERS)
    assert (len(forwards), len(backwards)) == (1, 3)


def test_backward_stops_at_the_earliest_layer():
    x, _ = batch()
    model = small_classifier()
    recording = activations.record(model, x, ("backbone.5", "backbone.3"), gradients=True)
    last, early = recording.activations
    assert early.is_leaf and early.requires_grad and not last.is_leaf


def test_a_layer_without_influence_is_refused():
    class Branch(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

        def forward(self, x):
            self.unused(x)
            return self.used(x).relu().sum((2, 3)) ** 2

    x, targets = batch()
    with pytest.raises(UsageError, match="no influence"):
        gradcam(Branch(), x, targets, ("used", "unused"))


class TestScoreCam:
    def test_against_one_channel_at_a_time(self):
        x, targets = batch()
        model = small_classifier()
        found = scorecam(model, x, targets, ("backbone.5",), masked_batch=3).maps[0]
        with torch.no_grad():
            a = model.features(x)[3]
            scores = []
            for channel in a:
                mask = F.interpolate(channel[None, None], (20, 28), mode="bilinear", align_corners=False)[
                    0, 0
                ]
                if channel.max() == channel.min():
                    scores.append(torch.full((3,), -torch.inf))
                    continue
                mask = (mask - mask.min()) / (mask.max() - mask.min())
                scores.append(model((x[3] * mask)[None])[0])
            weights = torch.stack(scores).softmax(0)
            for c in range(3):
                torch.testing.assert_close(
                    found[3, c], sum(w * m for w, m in zip(weights[:, c], a, strict=True))
                )

    def test_top_channels(self):
        x, targets = batch()
        model = small_classifier()
        every = scorecam(model, x, targets).maps[0]
        torch.testing.assert_close(scorecam(model, x, targets, top_channels=8).maps[0], every)
        one = scorecam(model, x, targets, top_channels=1).maps[0]
        a = model.features(x)[1].detach()
        torch.testing.assert_close(one[1, 1], a[a.flatten(1).var(1).argmax()])

    def test_constant_channels_have_no_weight(self):
        model, x, targets = paper_network()
        flat = scorecam(model, torch.zeros_like(x), targets, ("0",)).maps[0]
        assert not flat.any()

    def test_options_out_of_range(self):
        x, targets = batch()
        with pytest.raises(UsageError, match="top_channels"):
            scorecam(small_classifier(), x, targets, top_channels=-1)


def test_cam_with_bias_is_the_class_map_itself():
    model = small_classifier()
    x, _ = batch()
    targets = torch.ones(len(x), 3, dtype=torch.bool)
    with torch.no_grad():
        expected = model.class_maps(x)
    found = cam(model, x, targets, bias=True).maps[0]
    assert torch.allclose(found, expected, atol=1e-6)
    assert not torch.allclose(found, cam(model, x, targets).maps[0], atol=1e-3)
