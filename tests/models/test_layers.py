"""Layers by name: found with and without ``backbone.``; others are answered with those there are."""

import pytest
from torch import nn

from wsstool.errors import UsageError
from wsstool.models.classifier import Classifier, build_classifier
from wsstool.models.layers import check_map_layers, find_layer, spelled


@pytest.fixture(scope="module")
def tiny() -> Classifier:
    return build_classifier("tiny", 2)


@pytest.fixture(scope="module")
def resnet() -> Classifier:
    return build_classifier("resnet-18", 2)


def test_layers_of_the_backbone_need_no_prefix(resnet: Classifier) -> None:
    found = find_layer(resnet, "layer4.1")
    assert found is find_layer(resnet, "backbone.layer4.1") is resnet.backbone.layer4[1]  # type: ignore[index, union-attr]
    assert find_layer(resnet, "head") is resnet.head


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("backbone.layer9.conv1", "similar: .*; there are: backbone.conv1, .*backbone.layer4$"),
        ("layer9", "similar: layer4, .*; there are: conv1, bn1, .*, layer4$"),
        ("layer4.7", "similar: layer4.1, layer4.0.*; there are: layer4.0, layer4.1$"),
        ("head.x", "'head' contains no layers$"),
    ],
)
def test_unknown_names_are_answered_with_those_beside_them(resnet: Classifier, name: str, says: str) -> None:
    with pytest.raises(UsageError, match=f"^no layer '{name}' in this network; {says}"):
        find_layer(resnet, name)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("bn7", "there are: features.0 to features.5$"),
        ("pool", "there are: features.0 to features.5$"),
        (
            "backbone.feature.3",
            "similar: backbone.features.3, .*there are: backbone.features.0 to backbone.features.5$",
        ),
        ("feature.3", "similar: features.3, .*there are: features.0 to features.5$"),
    ],
)
def test_the_parts_that_have_maps_are_listed_and_not_their_container(
    tiny: Classifier, name: str, says: str
) -> None:
    with pytest.raises(UsageError, match=f"^no layer '{name}' in this network; {says}"):
        find_layer(tiny, name)


def test_long_lists_are_cut() -> None:
    assert spelled([f"part_{i}" for i in range(30)]).endswith("part_23 and 6 more")
    assert spelled(["a.0", "a.1", "b.0", "b.1", "b.2"]) == "a.0, a.1, b.0 to b.2"
    assert spelled(["a.0", "a.2", "a.3"]) == "a.0, a.2, a.3"


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (
            ["head"],
            "layer 'head' comes after the last feature map; maps can be computed from: features.0 to",
        ),
        (["dropout"], "layer 'dropout' comes after the last feature map"),
        ([""], "--layer '': no such layer; there are: features.0 to features.5"),
        (["."], "--layer '.': no such layer"),
        (["features.3", "features.3"], "--layer features.3 and --layer features.3 are the same layer"),
        (
            ["features.3", "backbone.features.3"],
            "--layer features.3 and --layer backbone.features.3 are the same",
        ),
    ],
)
def test_what_class_maps_cannot_be_read_from(tiny: Classifier, names: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        check_map_layers(tiny, names)


def test_parts_of_a_part_are_layers(tiny: Classifier) -> None:
    check_map_layers(tiny, ["features.2.first.0", "features.2", "backbone"])


def test_networks_of_others_list_their_children() -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU())
    with pytest.raises(UsageError, match=r"no layer '7' in this network; there are: 0, 1$"):
        find_layer(model, "7")
