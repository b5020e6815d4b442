"""Every class activation method keeps the contract of the family; a new registry line is covered at once."""

import pytest
import torch
from torch import nn

from tests.cams.networks import batch, small_classifier
from wsstool.cams.multiscale import multiscale
from wsstool.errors import UsageError
from wsstool.registry import CAMS

pytestmark = pytest.mark.parametrize("name", CAMS.names())

LAST = "backbone.5"


def layers_of(name):
    return (LAST,) if name == "cam" else ("backbone.1", LAST, "backbone.3")


def test_shapes_types_and_zero_where_not_asked(name):
    x, targets = batch()
    found = CAMS.load(name)(small_classifier(), x, targets, layers=layers_of(name))
    sizes = {"backbone.1": (10, 14), "backbone.3": (5, 7), LAST: (5, 7)}
    assert [tuple(m.shape) for m in found.maps] == [(4, 3, *sizes[n]) for n in layers_of(name)]
    assert found.logits.shape == (4, 3) and found.logits.dtype == torch.float32
    for m in found.maps:
        assert m.dtype == torch.float32 and not m.requires_grad and m.isfinite().all()
        assert not m[~targets].any()
        assert (m[targets].flatten(1).abs().amax(1) > 0).all()


def test_logits_are_those_of_the_network(name):
    x, targets = batch()
    model = small_classifier()
    torch.testing.assert_close(CAMS.load(name)(model, x, targets).logits, model(x).detach())


def test_no_layers_means_the_default_layer(name):
    x, targets = batch()
    a, b = (CAMS.load(name)(small_classifier(), x, targets, layers=n).maps for n in ((), (LAST,)))
    assert torch.equal(a[0], b[0])


def test_all_classes_at_once_are_the_classes_one_by_one(name):
    x, targets = batch()
    method, model = CAMS.load(name), small_classifier()
    at_once = method(model, x, targets, layers=layers_of(name)).maps
    for c in range(3):
        one = torch.zeros_like(targets)
        one[:, c] = targets[:, c]
        for m, all_of_them in zip(method(model, x, one, layers=layers_of(name)).maps, at_once, strict=True):
            torch.testing.assert_close(m[:, c], all_of_them[:, c])


def test_batch_is_single_images(name):
    x, targets = batch()
    method, model = CAMS.load(name), small_classifier()
    together = method(model, x, targets, layers=layers_of(name))
    for i in range(len(x)):
        alone = method(model, x[i : i + 1], targets[i : i + 1], layers=layers_of(name))
        for a, b in zip(alone.maps, together.maps, strict=True):
            torch.testing.assert_close(a[0], b[i])


def test_layers_together_are_layers_alone(name):
    x, targets = batch()
    method, model = CAMS.load(name), small_classifier()
    together = method(model, x, targets, layers=layers_of(name)).maps
    for layer, m in zip(layers_of(name), together, strict=True):
        torch.testing.assert_close(method(model, x, targets, layers=(layer,)).maps[0], m)


def test_no_target_at_all(name):
    x, targets = batch()
    found = CAMS.load(name)(small_classifier(), x, torch.zeros_like(targets), layers=layers_of(name))
    assert not any(m.any() for m in found.maps)


def test_model_is_left_as_it_was(name):
    x, targets = batch()
    model = small_classifier()
    model.train()
    model.backbone[4].eval()
    model.head.weight.requires_grad_(False)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    found = CAMS.load(name)(model, x, targets, layers=layers_of(name))
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in model.modules())
    assert [m.training for m in model.modules()] == [m is not model.backbone[4] for m in model.modules()]
    assert [p.requires_grad for p in model.head.parameters()] == [False, True]
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert torch.is_grad_enabled()
    evaluated = CAMS.load(name)(small_classifier(), x, targets, layers=layers_of(name))
    assert all(torch.equal(a, b) for a, b in zip(found.maps, evaluated.maps, strict=True))


def test_nothing_stays_behind_when_the_network_raises(name):
    x, targets = batch()
    model = small_classifier()
    model.train()
    model.head = nn.Conv2d(5, 3, 1)  # does not fit
    with pytest.raises(RuntimeError):
        CAMS.load(name)(model, x, targets, layers=layers_of(name))
    assert not any(m._forward_hooks for m in model.modules())
    assert all(m.training for m in model.modules())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_mode_of_the_caller_does_not_matter(name, mode):
    x, targets = batch()
    method, model = CAMS.load(name), small_classifier()
    expected = method(model, x, targets, layers=layers_of(name)).maps
    with mode():
        found = method(model, x.clone(), targets.clone(), layers=layers_of(name)).maps
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_mirror_image_gives_mirrored_maps(name):
    x, targets = batch()
    x = torch.nn.functional.pad(x, (0, 1))  # odd width: stride 2 then visits the same columns from both ends
    model = small_classifier()
    for layer in (model.backbone[0], model.backbone[3]):  # symmetric kernels
        layer.weight.data = layer.weight.data + layer.weight.data.flip(-1)
    method = CAMS.load(name)
    layers = layers_of(name)
    plain = method(model, x, targets, layers=layers).maps
    mirrored = method(model, x.flip(-1), targets, layers=layers).maps
    both = multiscale(method, model, x, targets, layers, flip=True).maps
    for a, b, c in zip(plain, mirrored, both, strict=True):
        torch.testing.assert_close(a, b.flip(-1), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(c, 2 * a, rtol=1e-4, atol=1e-5)


def test_one_scale_is_the_method_itself(name):
    x, targets = batch()
    model, method = small_classifier(), CAMS.load(name)
    one, plain = (
        multiscale(method, model, x, targets, layers_of(name)),
        method(model, x, targets, layers_of(name)),
    )
    assert torch.equal(one.logits, plain.logits)
    assert all(torch.equal(a, b) for a, b in zip(one.maps, plain.maps, strict=True))


def test_clear_errors(name):
    x, targets = batch()
    method, model = CAMS.load(name), small_classifier()
    with pytest.raises(UsageError, match=r"no layer 'backbone.9' in this network; .*there are: backbone.0 "):
        method(model, x, targets, layers=("backbone.9",))
    with pytest.raises(UsageError, match="not a feature map"):
        method(nn.Sequential(nn.Conv2d(3, 3, 1), nn.Flatten(), nn.LazyLinear(3)), x, targets, layers=("1",))
    with pytest.raises(UsageError, match="has no default layer"):
        method(nn.Sequential(nn.Conv2d(3, 3, 1)), x, targets)
    with pytest.raises(UsageError, match="classifier"):
        method(nn.Sequential(nn.Conv2d(3, 3, 1)), x, targets, layers=("0",))
    with pytest.raises(ValueError, match="targets must be bool"):
        method(model, x, targets.float())
