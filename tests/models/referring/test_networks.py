"""Whole referring networks: shapes, shared work, gradients, padding and order of sentences, weights files."""

import pytest
import torch

from wsstool.errors import BadInputError, UsageError
from wsstool.models.backbones import build_backbone, on_meta
from wsstool.models.referring.build import build_referring, describe_referring
from wsstool.models.referring.stages import stage_groups
from wsstool.models.weights import build_from_weights, described_shapes, save_weights
from wsstool.registries.segmenters import split_referring

WORDS = torch.tensor([[0, 0, 2, 3], [0, 4, 5, 6], [7, 8, 9, 2], [0, 0, 0, 5]])
IMAGE_OF = torch.tensor([0, 1, 0, 0])
NETWORKS = [
    ("bcam-tiny", {}),
    ("bcam-tiny", {"fusions": 1}),
    ("bcam-tiny", {"attention": "vanilla", "image_size": 40}),
    ("brinet-tiny", {}),
    ("brinet-tiny", {"fusions": 2, "attention": "vanilla", "image_size": 64}),
]
IDS = [f"{arch}-{'-'.join(map(str, own.values()))}" for arch, own in NETWORKS]


def built(arch, **own):
    torch.manual_seed(0)
    return build_referring(arch, 10, width=16, decoder_width=16, **own).eval()


def images(n=2, size=(40, 56)):
    return torch.randn(n, 3, *size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("arch", "sizes"),
    [
        ("bcam-tiny", [(9, 7), (9, 7), (9, 7), (17, 13), (65, 50)]),
        ("bcam-mobilenet-v2", [(5, 4), (5, 4), (9, 7), (17, 13), (65, 50)]),
        ("bcam-resnet-18", [(5, 4), (5, 4), (9, 7), (17, 13), (65, 50)]),
        ("bcam-vgg-11", [(4, 3), (4, 3), (8, 6), (16, 12), (65, 50)]),
        ("bcam-convnext-tiny", [(4, 3), (4, 3), (8, 6), (65, 50)]),
        ("bcam-fan-micro", [(5, 4), (5, 4), (10, 8), (65, 50)]),
        ("brinet-tiny", [(9, 7), (9, 7), (9, 7), (65, 50)]),
        ("brinet-resnet-18", [(9, 7), (9, 7), (9, 7), (65, 50)]),
        ("brinet-fan-micro", [(10, 8), (10, 8), (10, 8), (65, 50)]),
    ],
)
@torch.no_grad()
def test_shapes_at_a_size_that_no_stride_divides(arch, sizes):
    found = built(arch)(images(2, (65, 50)), WORDS, IMAGE_OF)
    assert [tuple(one.shape) for one in found] == [(4, 1, *size) for size in sizes]
    assert all(one.dtype == torch.float32 for one in found)


@pytest.mark.parametrize(("arch", "own"), NETWORKS, ids=IDS)
class TestSentences:
    @torch.no_grad()
    def test_together_equal_one_by_one(self, arch, own):
        network, x = built(arch, **own), images()
        together = network(x, WORDS, IMAGE_OF)
        for s in range(4):
            image = x[IMAGE_OF[s] : IMAGE_OF[s] + 1]
            alone = network(image, WORDS[s : s + 1], torch.tensor([0]))
            for one, other in zip(together, alone, strict=True):
                torch.testing.assert_close(one[s : s + 1], other, atol=2e-5, rtol=1e-4)

    @torch.no_grad()
    def test_in_any_order(self, arch, own):
        network, x, order = built(arch, **own), images(), torch.tensor([2, 0, 3, 1])
        whole = network(x, WORDS, IMAGE_OF)
        permuted = network(x, WORDS[order], IMAGE_OF[order])
        for one, other in zip(whole, permuted, strict=True):
            torch.testing.assert_close(one[order], other, atol=2e-5, rtol=1e-4)

    @torch.no_grad()
    def test_with_more_padding(self, arch, own):
        network, x = built(arch, **own), images()
        padded = torch.nn.functional.pad(WORDS, (16, 0))
        for one, other in zip(network(x, WORDS, IMAGE_OF), network(x, padded, IMAGE_OF), strict=True):
            torch.testing.assert_close(one, other)
        network.words.table.weight[0] = 5.0  # nobody reads it
        assert torch.equal(network(x, padded, IMAGE_OF)[-1], network(x, WORDS, IMAGE_OF)[-1])

    @torch.no_grad()
    def test_differ(self, arch, own):
        found = built(arch, **own)(images(1), WORDS, torch.zeros(4, dtype=torch.int64))
        for one in found:
            assert all((one[0] - one[s]).abs().max() > 0.01 * one.std() for s in range(1, 4))

    def test_teach_every_weight(self, arch, own):
        network = built(arch, **own).train()
        sum(one.square().mean() for one in network(images(), WORDS, IMAGE_OF)).backward()
        idle = {name for name, weight in network.named_parameters() if not weight.grad.abs().sum() > 0}
        assert not idle
        taught = network.words.table.weight.grad.abs().sum(1) > 0
        assert taught.tolist() == [False, False] + [True] * 8  # all but <pad>, and <unk>, which did not occur


def passes_per_part(network, n_sentences):
    """Images that each part of the backbone saw, by its name."""
    seen = {}
    hooks = [
        network.backbone.get_submodule(stage.name).register_forward_hook(
            lambda _, inputs, output, name=stage.name: seen.__setitem__(name, len(output))
        )
        for stage in network.backbone.stages
    ]
    network(images(1), WORDS[:n_sentences], torch.zeros(n_sentences, dtype=torch.int64))
    for hook in hooks:
        hook.remove()
    return list(seen.values())


@torch.no_grad()
def test_the_image_is_seen_once_before_the_first_fusion():
    assert passes_per_part(built("bcam-resnet-18"), 3) == [1, 1, 1, 1, 1, 1, 3, 3]
    assert passes_per_part(built("bcam-resnet-18", fusions=1), 3) == [1] * 8
    assert passes_per_part(built("bcam-tiny"), 3) == [1, 1, 1, 1, 3, 3]
    assert passes_per_part(built("brinet-tiny"), 3) == [1] * 6


class TestStages:
    @pytest.mark.parametrize(
        ("arch", "stride", "ends"),
        [
            ("resnet-50", 8, ["relu", "layer1", "layer2", "layer3", "layer4"]),
            ("tiny", 4, ["features.0", "features.2", "features.3", "features.4", "features.5"]),
            ("convnext-tiny", 16, ["features.1", "features.3", "features.5", "features.7"]),
            ("resnet38d", 8, ["b2_2", "b3_2", "b4_3", "b5_1", "bn7"]),
        ],
    )
    def test_ends(self, arch, stride, ends):
        with on_meta(arch):
            backbone = build_backbone(arch, output_stride=stride)
        groups = stage_groups(backbone)
        assert [group.parts[-1] for group in groups] == ends
        assert [part for group in groups for part in group.parts] == [s.name for s in backbone.stages]

    @torch.no_grad()
    def test_run_like_the_backbone(self):
        torch.manual_seed(0)
        backbone, x = build_backbone("resnet-18", output_stride=16).eval(), images()
        y = x
        for group in stage_groups(backbone):
            y = group(backbone, y)
            assert y.shape[1] == group.channels
        assert torch.equal(y, backbone(x))


class TestBuild:
    def test_parameter_counts(self):
        def counts(arch, **own):
            with on_meta(arch):
                network = build_referring(arch, 1000, **own)
            return {
                name: sum(weight.numel() for weight in part.parameters())
                for name, part in network.named_children()
            }

        assert counts("bcam-resnet-101") == {
            "backbone": 42_500_160,
            "words": 256_000 + 296_448,
            "fusions": 3_616_512,
            "decoder": 2_354_597,
        }
        assert counts("bcam-resnet-101", width=512)["fusions"] == 10_768_384
        assert counts("bcam-mobilenet-v2") == {
            "backbone": 1_811_712,
            "words": 64_000 + 18_816,
            "fusions": 170_496,
            "decoder": 58_345,
        }
        assert counts("bcam-tiny") == {
            "backbone": 276_440,
            "words": 64_000 + 18_816,
            "fusions": 158_112,
            "decoder": 27_133,
        }
        assert counts("brinet-resnet-101", width=1000) == {
            "backbone": 42_500_160,
            "words": 1_000_000 + 4_506_000,
            "fusions": 30_617_000,
            "pyramids": 58_449_408,
            "join": 11_538_432,
            "classify": 4 * 513,
        }

    def test_names(self):
        assert split_referring("brinet-mobilenetv2") == ("brinet", "mobilenet-v2")
        for arch in ("bcam", "bcam-resnet-7", "fcn-tiny", "tiny"):
            with pytest.raises(UsageError, match=f"no referring network '{arch}'; give NETWORK-BACKBONE"):
                split_referring(arch)

    @pytest.mark.parametrize(
        ("own", "match"),
        [
            ({"width": 0}, "width 0 of bcam-tiny: give 1 or more"),
            ({"fusions": 4}, "words in 4 stages: give 1 to 3"),
            ({"attention": "full"}, "no attention 'full'"),
            ({"output_stride": 16}, "tiny cannot have output stride 16"),
        ],
    )
    def test_bad_options(self, own, match):
        with pytest.raises(UsageError, match=match):
            build_referring("bcam-tiny", 10, **own)
        with pytest.raises(UsageError, match="at least <pad> and <unk>"):
            build_referring("bcam-tiny", 1)

    def test_word_vectors(self):
        vectors = torch.randn(10, 7)
        network = build_referring("bcam-tiny", 10, word_vectors=vectors)
        assert network.design.word_channels == 7
        assert torch.equal(network.words.table.weight[1:], vectors[1:])


class TestWeights:
    VOCABULARY = ("<pad>", "<unk>", *"abcdefgh")

    @pytest.mark.parametrize(("arch", "own"), NETWORKS, ids=IDS)
    def test_come_back_from_their_file(self, arch, own, tmp_path):
        network, x = built(arch, **own), images()
        meta = describe_referring(network, self.VOCABULARY)
        save_weights(tmp_path / "n.pth", network.state_dict(), meta)
        found, read = build_from_weights(tmp_path / "n.pth")
        assert read["vocabulary"] == list(self.VOCABULARY) and read["task"] == "referring"
        with torch.no_grad():
            assert torch.equal(found(x, WORDS, IMAGE_OF)[-1], network(x, WORDS, IMAGE_OF)[-1])
        shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
        assert described_shapes(meta, "f") == shapes

    def test_without_vocabulary_or_design(self):
        meta = describe_referring(built("bcam-tiny"), self.VOCABULARY)
        with pytest.raises(BadInputError, match=r"n\.pth has no vocabulary"):
            described_shapes({**meta, "vocabulary": []}, "n.pth")
        del meta["hidden"]
        with pytest.raises(BadInputError, match="no 'hidden' in its metadata"):
            described_shapes(meta, "n.pth")

    def test_vocabulary_of_another_size(self):
        with pytest.raises(UsageError, match="a vocabulary of 9 words for a network of 10 words"):
            describe_referring(built("bcam-tiny"), self.VOCABULARY[:-1])
