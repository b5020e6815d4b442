"""SAM of transformers behind the protocol: equal to its processor, the same in every batch, refusals."""

import json

import numpy as np
import pytest
import torch

from tests.models.promptable.checkpoints import SIDE, write_tiny_sam
from wsstool.errors import BadInputError, MissingInputError
from wsstool.models.promptable import sam as module
from wsstool.models.promptable.sam import checkpoint_files, load_sam
from wsstool.prompts.segmenter import Prompt, PromptedImage

CPU = torch.device("cpu")


def picture(height: int = 40, width: int = 57) -> np.ndarray:
    image = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    image[10:30, 10:30] = (200, 30, 30)
    return image


def box(*corners: float) -> np.ndarray:
    return np.array(corners, np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("transformers")
    return write_tiny_sam(tmp_path_factory.mktemp("sam") / "tiny")


@pytest.fixture(scope="module")
def tiny(folder):
    return load_sam(folder, CPU)


@pytest.fixture(scope="module")
def processor(folder):
    from transformers import SamImageProcessorPil

    return SamImageProcessorPil(size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE})


class TestNetwork:
    @pytest.mark.parametrize("size", [(40, 57), (90, 61), (64, 64), (5, 200)])
    def test_input_is_that_of_the_processor(self, tiny, processor, size):
        theirs = processor(picture(200, 200)[: size[0], : size[1]], return_tensors="pt")["pixel_values"]
        ours = tiny.input_of(picture(200, 200)[: size[0], : size[1]])
        torch.testing.assert_close(ours, torch.as_tensor(theirs), atol=1e-5, rtol=0)

    def test_masks_are_those_of_transformers(self, tiny, folder, processor):
        from transformers import SamModel

        image, one = picture(), box(5, 6, 33, 31)
        given = processor(image, return_tensors="pt")
        ratio = np.array([int(n) for n in given["reshaped_input_sizes"][0]])[::-1] / (57, 40)
        scaled = torch.as_tensor((one.reshape(2, 2) * ratio).reshape(1, 1, 4), dtype=torch.float32)
        with torch.no_grad():
            found = SamModel.from_pretrained(folder).eval()(
                torch.as_tensor(given["pixel_values"]), input_boxes=scaled
            )
        masks = processor.post_process_masks(
            found.pred_masks, given["original_sizes"], given["reshaped_input_sizes"]
        )[0][0]
        best = int(found.iou_scores[0, 0].argmax())
        ((mask, score),) = PromptedImage(tiny, image).masks([Prompt(one)])
        np.testing.assert_array_equal(mask, masks[best].numpy())
        assert 0.1 < mask.mean() < 0.9
        assert score == pytest.approx(float(found.iou_scores[0, 0, best].clamp(0, 1)), abs=1e-5)

    def test_a_prompt_has_the_same_mask_alone_and_in_any_batch(self, tiny):
        rng = np.random.default_rng(1)
        prompts = []
        for k in range(21):  # more than one pass; 0 to 2 points, with and without a mask
            x, y = rng.integers(0, 25, 2)
            points = rng.integers(0, 30, (k % 3, 2)).astype(np.float32)
            mask = rng.normal(size=(40, 57)).astype(np.float32) if k % 2 else None
            prompts.append(Prompt(box(x, y, x + 20, y + 14), points, np.arange(k % 3) == 0, mask))
        under = PromptedImage(tiny, picture())
        together = list(under.masks(prompts))
        assert len({mask.tobytes() for mask, _ in together}) > 10
        for prompt, (mask, score) in zip(prompts, together, strict=True):
            ((alone, own),) = under.masks([prompt])
            assert (alone == mask).mean() > 0.999 and own == pytest.approx(score, abs=1e-5)

    def test_every_kind_of_prompt_moves_the_mask(self, tiny):
        under, corners = PromptedImage(tiny, picture()), box(5, 6, 33, 31)
        logits = np.zeros((40, 57), np.float32)
        logits[10:30, 10:30] = 20
        point = np.array([[20, 20]], np.float32)
        prompts = [
            Prompt(corners),
            Prompt(box(20, 6, 55, 38)),
            Prompt(corners, point, np.array([True])),
            Prompt(corners, point, np.array([False])),
            Prompt(corners, mask=logits),
        ]
        assert len({round(score, 6) for _, score in under.masks(prompts)}) == 5

    def test_features_cover_the_image_without_the_padding(self, tiny):
        assert tiny.features(tiny.encode(picture(40, 57))).shape == (16, 6, 8)

    def test_weights_that_do_not_fit_their_config(self, folder, tmp_path):
        config = json.loads((folder / "config.json").read_text())
        config["vision_config"]["num_hidden_layers"] = 3
        (tmp_path / "config.json").write_text(json.dumps(config))
        (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
        with pytest.raises(BadInputError, match=r"are not those of its config.json: .* are missing"):
            load_sam(tmp_path, CPU)

    def test_truncated_weights(self, folder, tmp_path):
        (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
        whole = (folder / "model.safetensors").read_bytes()
        (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(BadInputError, match=r"the weights in .* cannot be loaded"):
            load_sam(tmp_path, CPU)

    def test_weights_that_are_not_finite(self, folder):
        broken = load_sam(folder, CPU)
        broken._network.vision_encoder.patch_embed.projection.bias.data.fill_(float("nan"))
        with pytest.raises(BadInputError, match="not finite"):
            broken.encode(picture())


class TestCheckpoint:
    """Refusals that need neither transformers nor torch."""

    def write(self, folder, **config):
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    def test_its_files(self, tmp_path):
        folder = self.write(tmp_path / "c", model_type="sam")
        (folder / "pytorch_model.bin").touch()
        assert checkpoint_files(folder) == ["config.json", "pytorch_model.bin"]
        for name in ("model.safetensors", "README.md"):
            (folder / name).touch()
        assert checkpoint_files(folder) == ["config.json", "model.safetensors"]

    def test_nothing_there(self, tmp_path):
        with pytest.raises(MissingInputError, match="there is no folder"):
            checkpoint_files(tmp_path / "none")

    def test_a_single_file(self, tmp_path):
        (tmp_path / "sam_vit_b.pth").touch()
        with pytest.raises(BadInputError, match=r"is a file; give the folder of a checkpoint"):
            checkpoint_files(tmp_path / "sam_vit_b.pth")

    def test_a_folder_of_something_else(self, tmp_path):
        with pytest.raises(
            BadInputError, match=r"is no checkpoint of Segment Anything: it has no config.json"
        ):
            checkpoint_files(tmp_path)

    @pytest.mark.parametrize(("kind", "said"), [("clip", "of model type 'clip'"), (None, "of no model type")])
    def test_another_network(self, tmp_path, kind, said):
        with pytest.raises(BadInputError, match=rf"{said}, not of Segment Anything"):
            checkpoint_files(self.write(tmp_path, model_type=kind))

    @pytest.mark.parametrize("text", ["{", "[1]", '"sam"'])
    def test_a_damaged_config(self, tmp_path, text):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(BadInputError, match=r"config\.json' cannot be read|of no model type"):
            checkpoint_files(tmp_path)

    def test_no_weights(self, tmp_path):
        with pytest.raises(MissingInputError, match=r"holds no weights; bring its model\.safetensors"):
            checkpoint_files(self.write(tmp_path, model_type="sam"))

    def test_without_transformers(self, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
        with pytest.raises(MissingInputError, match=r"needs transformers.*: pip install 'wsstool\[sam\]'"):
            load_sam(tmp_path, CPU)
