"""White-only and oblong patches through cam, pseudo-mask and cotrain, as the published recipes run them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.stages.pseudo_masks.test_cam_layers import write_classifier
from wsstool import store
from wsstool.data.dataset import open_dataset
from wsstool.models.weights import build_from_weights
from wsstool.stages.predict.predict import predict
from wsstool.stages.pseudo_masks.cam import cam
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask
from wsstool.stages.train.cotrain import cotrain

ROWS, COLUMNS = 40, 24
WHITE = "c-white-[0 0 1 0]"
NAMES = ("a-[1 0 0 1]", "b-[0 1 0 0]", WHITE, "d-white-[1 1 1 1]", "e-[1 0 0 1]")
LAYERS = ["features.3", "features.4", "features.5"]
TRAINING: dict[str, Any] = {
    "method": "multilayer",
    "arch": "deeplabv3plus-tiny",
    "width": 16,
    "layer_weight": ["features.5=0.6", "features.4=0.2", "features.3=0.2"],
    "ignore_class": "background",
    "normalization": "none",
    "crop_size": 32,
    "scale_min": 1.0,
    "scale_max": 1.0,
    "color_jitter": 0.0,
    "epochs": 2,
    "batch_size": 2,
    "lr": 0.01,
    "workers": 0,
    "device": "cpu",
}


def write_patches(root: Path, names: tuple[str, ...]) -> Path:
    """Taller than wide, dark above and bright tissue below, or white all over."""
    rng = np.random.default_rng(0)
    (root / "train").mkdir(parents=True)
    for name in names:
        image = rng.integers(60, 190, (ROWS, COLUMNS, 3))
        image[: ROWS // 2] //= 3
        if "white" in name:
            image[:] = 255
        Image.fromarray(image.astype(np.uint8)).save(root / "train" / f"{name}.png")
    return root


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, three-layer Grad-CAM maps and their masks, with white background and without."""
    root = write_patches(tmp_path_factory.mktemp("oblong") / "luad", NAMES)
    torch.manual_seed(0)
    write_classifier(root / "cls.pth")
    options: dict[str, Any] = {"method": "gradcam", "layer": LAYERS, "targets": "all", "dtype": "float32"}
    cam(root, split="train", weights=root / "cls.pth", output=root / "cams.h5", rectify=False, **options)
    for background in ("white", "none"):
        pseudo_mask(
            root / "cams.h5", output=root / f"{background}.h5", rule="multilayer", background=background
        )
    return root


def masks_of(path: Path) -> dict[str, np.ndarray]:
    with store.open_records(path, kinds=("mask",)) as reader:
        names = [Path(name).stem for name in reader.header.images]
        return {name: one.data.copy() for name, one in zip(names, reader.records(), strict=True)}


def test_maps_are_those_of_the_definition_rows_by_columns(made: Path) -> None:
    model, _ = build_from_weights(made / "cls.pth")
    image = np.asarray(Image.open(made / "train" / f"{NAMES[0]}.png"), np.float32) / 255
    x = torch.from_numpy(image).permute(2, 0, 1)[None]
    found = {}
    layer = model.backbone.get_submodule(LAYERS[0])  # type: ignore[union-attr, operator]
    hook = layer.register_forward_hook(lambda m, i, o: found.update(a=o))
    logits = model(x)
    hook.remove()
    with store.open_records(made / "cams.h5", kinds=("cam",)) as reader:
        assert reader.header.layers == tuple(LAYERS)
        ours = next(iter(reader.records())).maps[0]
    assert ours.shape == (4, ROWS // 8, COLUMNS // 8)
    gradients = [torch.autograd.grad(logits[0, k], found["a"], retain_graph=True)[0] for k in range(4)]
    expected = np.stack(
        [(g.mean((2, 3), keepdim=True) * found["a"]).sum(1)[0].detach().numpy() for g in gradients]
    )
    np.testing.assert_allclose(ours, expected / np.abs(expected).max(), atol=1e-4)  # stored to a scale


def test_a_white_patch_is_background_in_every_layer_where_white_is_looked_for(made: Path) -> None:
    masks = masks_of(made / "white.h5")
    assert all(one.shape == (3, ROWS, COLUMNS) for one in masks.values())
    for name, one in masks.items():
        assert (one == 4).all() if "white" in name else not (one == 4).any()
    assert set(np.unique(masks[NAMES[0]])) <= {0, 3}


def test_a_white_patch_is_tissue_where_white_is_not_looked_for(made: Path) -> None:
    masks = masks_of(made / "none.h5")
    assert not any((one == 4).any() or (one == 255).any() for one in masks.values())
    # But for the tie at the joint minimum, which half a map cell of a corner can have.
    assert set(np.unique(masks[WHITE])) <= {0, 2} and (masks[WHITE] == 2).mean() > 0.98


@pytest.mark.parametrize("form", ["channel", "index"])
def test_a_segmenter_learns_from_them(made: Path, tmp_path: Path, form: str) -> None:
    done = cotrain(made / "white.h5", output=tmp_path / "s.pth", settings=[f"excluded={form}"], **TRAINING)
    assert np.isfinite(done["loss"]) and done["loss"] > 0
    predict(made, split="train", weights=tmp_path / "s.pth", gate=made / "cls.pth", output=tmp_path / "p.h5")
    for one in masks_of(tmp_path / "p.h5").values():
        assert one.shape == (1, ROWS, COLUMNS) and one.max() <= 3


@pytest.mark.parametrize("form", ["channel", "index"])
def test_white_patches_alone_teach_nothing_and_break_nothing(tmp_path: Path, form: str) -> None:
    root = write_patches(tmp_path / "luad", (WHITE, "d-white-[1 1 1 1]"))
    write_classifier(root / "cls.pth")
    cam(root, split="train", weights=root / "cls.pth", output=root / "c.h5", method="gradcam", layer=LAYERS)
    pseudo_mask(root / "c.h5", output=root / "m.h5", rule="multilayer", background="white")
    own = {**TRAINING, "blur": 0.0, "weight_decay": 0.0}
    done = cotrain(root / "m.h5", output=root / "s.pth", settings=[f"excluded={form}"], **own)
    assert done["loss"] == pytest.approx(0, abs=1e-6)
    assert len(open_dataset(root, split="train")) == done["images"] == 2
