"""Every class activation method keeps the contract of the family; a new registry line is covered at once."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from tests.cams.networks import batch, small_classifier, small_tower, small_transformer
from wsstool.cams.multiscale import multiscale
from wsstool.errors import UsageError
from wsstool.registry import CAMS

pytestmark = pytest.mark.parametrize("name", CAMS.names())

LAST = "backbone.5"
TOKENS = "backbone.blocks.3"
TOWER = "backbone.output_map"
SIZES = {"backbone.1": (10, 14), "backbone.3": (5, 7), LAST: (5, 7), TOKENS: (3, 4), TOWER: (3, 4)}
OF_TOKENS = {"token": TOKENS, "text": TOWER}
"""Methods for transformers alone -> their only layer."""


class Case(NamedTuple):
    """What a method runs on."""

    model: nn.Module
    x: Tensor
    targets: Tensor
    layers: tuple[str, ...]


def case(name):
    if name == "token":
        return Case(small_transformer(), *batch(side=(48, 64)), (TOKENS,))
    if name == "text":
        pytest.importorskip("timm")
        return Case(small_tower(), *batch(side=(48, 64)), (TOWER,))
    layers = (LAST,) if name == "cam" else ("backbone.1", LAST, "backbone.3")
    return Case(small_classifier(), *batch(), layers)


def test_shapes_types_and_zero_where_not_asked(name):
    model, x, targets, layers = case(name)
    found = CAMS.load(name)(model, x, targets, layers=layers)
    assert [tuple(m.shape) for m in found.maps] == [(4, 3, *SIZES[n]) for n in layers]
    assert found.logits.shape == (4, 3) and found.logits.dtype == torch.float32
    for m in found.maps:
        assert m.dtype == torch.float32 and not m.requires_grad and m.isfinite().all()
        assert not m[~targets].any()
        assert (m[targets].flatten(1).abs().amax(1) > 0).all()


def test_logits_are_those_of_the_network(name):
    model, x, targets, _ = case(name)
    torch.testing.assert_close(CAMS.load(name)(model, x, targets).logits, model(x).detach())


def test_no_layers_means_the_default_layer(name):
    model, x, targets, _ = case(name)
    last = OF_TOKENS.get(name, LAST)
    a, b = (CAMS.load(name)(model, x, targets, layers=n).maps for n in ((), (last,)))
    assert torch.equal(a[0], b[0])


def test_all_classes_at_once_are_the_classes_one_by_one(name):
    model, x, targets, layers = case(name)
    method = CAMS.load(name)
    at_once = method(model, x, targets, layers=layers).maps
    for c in range(3):
        one = torch.zeros_like(targets)
        one[:, c] = targets[:, c]
        for m, all_of_them in zip(method(model, x, one, layers=layers).maps, at_once, strict=True):
            torch.testing.assert_close(m[:, c], all_of_them[:, c])


def test_batch_is_single_images(name):
    model, x, targets, layers = case(name)
    method = CAMS.load(name)
    together = method(model, x, targets, layers=layers)
    for i in range(len(x)):
        alone = method(model, x[i : i + 1], targets[i : i + 1], layers=layers)
        for a, b in zip(alone.maps, together.maps, strict=True):
            torch.testing.assert_close(a[0], b[i])


def test_layers_together_are_layers_alone(name):
    model, x, targets, layers = case(name)
    method = CAMS.load(name)
    together = method(model, x, targets, layers=layers).maps
    for layer, m in zip(layers, together, strict=True):
        torch.testing.assert_close(method(model, x, targets, layers=(layer,)).maps[0], m)


def test_no_target_at_all(name):
    model, x, targets, layers = case(name)
    found = CAMS.load(name)(model, x, torch.zeros_like(targets), layers=layers)
    assert not any(m.any() for m in found.maps)


def test_model_is_left_as_it_was(name):
    model, x, targets, layers = case(name)
    model.train()
    norms = nn.LayerNorm if name == "text" else nn.BatchNorm2d
    frozen = next(m for m in model.modules() if isinstance(m, norms)).eval()
    first, *others = model.parameters()
    first.requires_grad_(False)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    found = CAMS.load(name)(model, x, targets, layers=layers)
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in model.modules())
    assert [m.training for m in model.modules()] == [m is not frozen for m in model.modules()]
    assert not first.requires_grad and all(p.requires_grad for p in others)
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert torch.is_grad_enabled()
    evaluated = CAMS.load(name)(case(name).model, x, targets, layers=layers)
    assert all(torch.equal(a, b) for a, b in zip(found.maps, evaluated.maps, strict=True))


def test_nothing_stays_behind_when_the_network_raises(name):
    model, x, targets, layers = case(name)
    model.train()
    if name == "token":
        model.head.head = nn.Linear(5, 3)  # does not fit
    elif name == "text":
        model.backbone.network.head = nn.Linear(5, 3)
    else:
        model.head = nn.Conv2d(5, 3, 1)
    with pytest.raises(RuntimeError):
        CAMS.load(name)(model, x, targets, layers=layers)
    assert not any(m._forward_hooks for m in model.modules())
    assert all(m.training for m in model.modules())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_mode_of_the_caller_does_not_matter(name, mode):
    model, x, targets, layers = case(name)
    method = CAMS.load(name)
    expected = method(model, x, targets, layers=layers).maps
    with mode():
        found = method(model, x.clone(), targets.clone(), layers=layers).maps
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_mirror_image_gives_mirrored_maps(name):
    if name in OF_TOKENS:
        pytest.skip("positions are encoded: a mirror image gives other maps")
    model, x, targets, layers = case(name)
    x = torch.nn.functional.pad(x, (0, 1))  # odd width: stride 2 then visits the same columns from both ends
    for layer in (model.backbone[0], model.backbone[3]):  # symmetric kernels
        layer.weight.data = layer.weight.data + layer.weight.data.flip(-1)
    method = CAMS.load(name)
    plain = method(model, x, targets, layers=layers).maps
    mirrored = method(model, x.flip(-1), targets, layers=layers).maps
    both = multiscale(method, model, x, targets, layers, flip=True).maps
    for a, b, c in zip(plain, mirrored, both, strict=True):
        torch.testing.assert_close(a, b.flip(-1), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(c, 2 * a, rtol=1e-4, atol=1e-5)


def test_one_scale_is_the_method_itself(name):
    model, x, targets, layers = case(name)
    method = CAMS.load(name)
    one, plain = (
        multiscale(method, model, x, targets, layers),
        method(model, x, targets, layers),
    )
    assert torch.equal(one.logits, plain.logits)
    assert all(torch.equal(a, b) for a, b in zip(one.maps, plain.maps, strict=True))


def test_clear_errors(name):
    model, x, targets, _ = case(name)
    method = CAMS.load(name)
    with pytest.raises(UsageError, match=r"no layer 'backbone.9' in this network; .*there are: backbone."):
        method(model, x, targets, layers=("backbone.9",))
    with pytest.raises(ValueError, match="targets must be bool"):
        method(model, x, targets.float())


def test_networks_without_maps(name):
    if name in OF_TOKENS:
        pytest.skip("takes no other networks at all")
    _, x, targets, _ = case(name)
    method = CAMS.load(name)
    with pytest.raises(UsageError, match="not a feature map"):
        method(nn.Sequential(nn.Conv2d(3, 3, 1), nn.Flatten(), nn.LazyLinear(3)), x, targets, layers=("1",))
    with pytest.raises(UsageError, match="has no default layer"):
        method(nn.Sequential(nn.Conv2d(3, 3, 1)), x, targets)
    with pytest.raises(UsageError, match="classifier"):
        method(nn.Sequential(nn.Conv2d(3, 3, 1)), x, targets, layers=("0",))
