"""Text maps: planted classes, values by hand, probabilities, heads of several kinds, refusals."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.cams.networks import batch, small_classifier, small_tower
from wsstool.cams import Probabilities, multiscale
from wsstool.cams.text import text
from wsstool.errors import BadInputError, UsageError
from wsstool.models.backbones.timm_network import TimmBackbone, timm_backbone
from wsstool.models.image_text.classifier import TextClassifier
from wsstool.models.image_text.tower import ImageTower, tower_backbone
from wsstool.models.weights import Weights

timm = pytest.importorskip("timm")

LAYOUT = torch.tensor([[0, 1, 1, 2], [0, 3, 3, 2], [2, 1, 0, 3]])
"""The content of each patch of the planted image: three classes, and 3 for the background."""


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def planted() -> tuple[TimmBackbone, Tensor, Tensor]:
    """A network that mixes positions in its last attention alone, an image, and the four (8,) embeddings.

    Each embedding is that of an image of a single patch, through timm's own forward.
    """
    backbone = timm_backbone("timm:test_vit", outputs=8).eval()
    network = backbone.network
    with torch.no_grad():
        network.pos_embed.zero_()
        for block in network.blocks[:-1]:
            nn.init.zeros_(block.attn.proj.weight)
            nn.init.zeros_(block.attn.proj.bias)
        nn.init.normal_(network.blocks[-1].attn.proj.weight, std=0.5)
        nn.init.normal_(network.head.weight)
        contents = torch.randn(4, 3, 16, 16)
        x = contents[LAYOUT].permute(2, 0, 3, 1, 4).reshape(1, 3, 48, 64)
        block = network.blocks[-1]
        tokens = network.norm_pre(network._pos_embed(network.patch_embed(contents)))
        for one in network.blocks[:-1]:
            tokens = one(tokens)
        tokens = tokens[:, 1:]  # alone, a token attends to itself
        embeddings = network.head(network.norm(block(tokens)))[:, 0]
    return backbone, x, embeddings


class TestPlantedVectors:
    @pytest.mark.parametrize("features", ["auto", "values"])
    def test_values_find_every_patch(self, features):
        backbone, x, embeddings = planted()
        model = TextClassifier(backbone, 3 * embeddings[:3], embeddings[3:]).eval()
        found = text(model, x, torch.ones(1, 3, dtype=torch.bool), features=features)
        probabilities = found.maps[0][0]
        everything = torch.cat([probabilities, 1 - probabilities.sum(0, keepdim=True)])
        assert torch.equal(everything.argmax(0), LAYOUT)
        cosines = F.cosine_similarity(embeddings[:, None], embeddings[None], dim=-1)
        expected = (100 * cosines).softmax(1)[LAYOUT].permute(2, 0, 1)[:3]
        torch.testing.assert_close(probabilities, expected, rtol=1e-4, atol=1e-5)

    def test_tokens_are_mixed_by_attention(self):
        backbone, x, _ = planted()
        network = backbone.network
        with torch.no_grad():
            last = network.forward_features(x)
            chosen = network.head(last[0, 1:][[0, 5]])  # of two patches
            expected = network.head(last[:, 1:])
        model = TextClassifier(backbone, chosen, chosen[:0]).eval()
        found = text(model, x, torch.ones(1, 2, dtype=torch.bool), features="tokens", logit_scale=10)
        cosines = F.cosine_similarity(expected[0][None], chosen[:, None], dim=-1)
        torch.testing.assert_close(found.maps[0][0].flatten(1), (10 * cosines).softmax(0))
        values = text(model, x, torch.ones(1, 2, dtype=torch.bool), logit_scale=10)
        assert (values.maps[0] - found.maps[0]).abs().max() > 0.01

    def test_the_whole_image_is_classified_as_by_timm(self):
        backbone, x, embeddings = planted()
        model = TextClassifier(backbone, embeddings[:3], embeddings[3:]).eval()
        with torch.no_grad():
            theirs = backbone.network(x)
            cosines = F.cosine_similarity(theirs, embeddings, dim=-1)
        torch.testing.assert_close(
            model(x).sigmoid()[0], (100 * cosines).softmax(0)[:3], rtol=1e-4, atol=1e-5
        )


class TestValues:
    def test_are_the_value_projection_written_out(self):
        model = small_tower()
        x, _ = batch(side=(48, 64))
        network = model.backbone.network
        block, seen = network.blocks[-1], []
        handle = block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        with torch.no_grad():
            _, maps = model.embeddings(x)
            handle.remove()
            tokens = seen[0]
            weight, bias = block.attn.qkv.weight[128:], block.attn.qkv.bias[128:]
            tokens = tokens + block.attn.proj(F.linear(block.norm1(tokens), weight, bias))
            tokens = tokens + block.mlp(block.norm2(tokens))
            expected = network.head(network.norm(tokens))[:, 1:].mT.unflatten(2, (3, 4))
        torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-5)

    def test_sum_to_one_with_the_background(self):
        model = small_tower()
        x, _ = batch(side=(40, 50))
        every = torch.ones(4, 3, dtype=torch.bool)
        found = multiscale(text, model, x, every, scales=(1.0, 1.3), flip=True, logit_scale=5)
        assert isinstance(found, Probabilities) and found.maps[0].shape == (4, 3, 4, 5)
        assert 0 < float(found.maps[0].sum(1).min()) < float(found.maps[0].sum(1).max()) < 1

    @pytest.mark.parametrize(
        ("name", "outputs", "has_values"),
        [
            ("test_vit2", 8, True),  # averages its tokens
            ("test_vit3", 0, True),  # pools by attention and projects no further
            ("test_convnext", 8, False),
        ],
    )
    def test_a_lone_position_is_the_whole_image(self, name, outputs, has_values):
        tower = ImageTower(timm_backbone(f"timm:{name}", outputs=outputs)).eval()
        assert tower.has_values is has_values
        network = tower.backbone.network
        x = torch.randn(2, 3, 64, 64)
        with torch.no_grad():
            _, maps = tower.embeddings(x, "tokens")
            last = network.forward_features(x)
            lone = last[:, :, :1, 1:2] if last.ndim == 4 else last[:, 2:3]
            if name == "test_vit2":
                lone = torch.cat([last[:, :1], lone], 1)  # the class token is not in the average
            torch.testing.assert_close(maps[:, :, 0, 1], network.forward_head(lone))

    def test_the_attention_pooling_of_clip_s_resnets(self):
        tower = ImageTower(small_clip_resnet()).eval()
        head = tower.backbone.network.head
        x = torch.randn(1, 3, 64, 96)
        with torch.no_grad():
            image, maps = tower.embeddings(x)
            features = tower.backbone(x)
            expected = head.proj(head.v(features.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        assert image.shape == (1, 8)
        torch.testing.assert_close(maps, expected)


def small_clip_resnet() -> TimmBackbone:
    """The smallest network with CLIP's attention pooling, from timm's own parts."""
    from timm.layers.attention_pool2d import AttentionPool2d

    backbone = timm_backbone("timm:test_resnet")
    backbone.network.forward_head = lambda x: backbone.network.head(x)
    backbone.network.head = AttentionPool2d(
        backbone.out_channels, feat_size=2, out_features=8, head_dim=8, qkv_separate=True
    )
    return backbone


class TestCheckpoints:
    def test_of_timm_and_of_openclip(self):
        own = timm_backbone("timm:test_vit", outputs=8).network.state_dict()
        theirs = {f"visual.trunk.{k}": v for k, v in own.items() if not k.startswith("head.")}
        theirs |= {"visual.head.proj.weight": own["head.weight"], "logit_scale": torch.tensor(4.6)}
        for state in (own, theirs):
            built = tower_backbone("timm:test_vit", Weights(state), 8, "clip.pth").network.state_dict()
            assert all(torch.equal(built[k], own[k]) for k in own if k != "head.bias")

    def test_that_pool_by_attention_need_no_projection(self):
        own = timm_backbone("timm:test_vit3").network.state_dict()
        assert tower_backbone("timm:test_vit3", Weights(own), 96, "siglip.pth").network.num_classes == 0
        with pytest.raises(BadInputError, match=r"embeds images in 96 dimensions, but .* have 8"):
            tower_backbone("timm:test_vit3", Weights(own), 8, "siglip.pth")

    @pytest.mark.parametrize(
        ("outputs", "says"),
        [
            (16, "'w.pth' embeds images in 16 dimensions, but the class vectors have 8"),
            (0, "'w.pth' has no projection into a space shared with text"),
        ],
    )
    def test_refusals(self, outputs, says):
        state = timm_backbone("timm:test_vit", outputs=outputs).network.state_dict()
        with pytest.raises(BadInputError, match=says):
            tower_backbone("timm:test_vit", Weights(state), 8, "w.pth")

    def test_other_networks(self):
        with pytest.raises(
            UsageError, match="--arch mobilenet-v2: class vectors need an image tower of timm"
        ):
            tower_backbone("mobilenet-v2", Weights({}), 8, "w.pth")


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"features": "keys"}, "features must be auto, values or tokens, not 'keys'"),
            ({"logit_scale": 0.0}, "logit-scale must be above 0, not 0"),
            ({"logit_scale": float("nan")}, "logit-scale must be above 0, not nan"),
            ({"layers": ("blocks.1",)}, "text projects only the last features"),
        ],
    )
    def test_options(self, options, says):
        with pytest.raises(UsageError, match=says):
            text(small_tower(), *batch(side=(48, 64)), **options)

    def test_networks_without_vectors(self):
        with pytest.raises(UsageError, match="text needs an image tower with class vectors"):
            text(small_classifier(), *batch())

    def test_values_of_networks_without_attention(self):
        backbone = timm_backbone("timm:test_convnext", outputs=8)
        model = TextClassifier(backbone, torch.eye(8)[:3], torch.eye(8)[3:3]).eval()
        with pytest.raises(UsageError, match="does not end in attention over tokens"):
            text(model, *batch(side=(64, 64)), features="values")
