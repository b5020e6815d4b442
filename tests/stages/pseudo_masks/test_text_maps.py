"""``cam --method text``: class names and their vectors to class maps, masks, keys, commands and refusals."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F
from typer.testing import CliRunner

from tests.messages import Heard
from wsstool import store
from wsstool.cli.app import app
from wsstool.errors import BadInputError, UsageError
from wsstool.models.backbones.timm_network import timm_backbone
from wsstool.stages.program.sample import sample
from wsstool.stages.pseudo_masks.cam import cam
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask

pytest.importorskip("timm")

NAMES = ("horse", "coin", "star", "crate", "leaf")
"""The classes of ``sample``, in another order."""

ARCH = "timm:test_vit"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set, an image tower with random weights, and vectors; two of the vectors are background."""
    root = tmp_path_factory.mktemp("text") / "data"
    sample(output=root, count=3, size=64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        torch.save(timm_backbone(ARCH, outputs=8).network.state_dict(), root / "tower.pth")
    vectors = np.random.default_rng(0).normal(size=(7, 8))
    write_vectors(root / "v.npz", [*NAMES, "sky", "wall"], vectors, ["wall", "sky"])
    return root


def write_vectors(path: Path, names: list[str], vectors: np.ndarray, background: list[str]) -> Path:
    np.savez(path, names=np.array(names), vectors=vectors, background=np.array(background, str))
    return path


def text_maps(data: Path, output: Path, **options) -> Path:
    fixed = {"method": "text", "class_vectors": data / "v.npz", "arch": ARCH, "init": data / "tower.pth"}
    cam(data, output=output, **{**fixed, "dtype": "float32", "device": "cpu", **options})
    return output


def by_hand(data: Path, name: str) -> dict[str, np.ndarray]:
    """The map of each class of an image, from timm's tokens."""
    network = timm_backbone(ARCH, outputs=8).network.eval()
    network.load_state_dict(torch.load(data / "tower.pth", weights_only=True))
    pixels = torch.from_numpy(np.array(Image.open(data / name))).permute(2, 0, 1)[None]
    with torch.no_grad():
        tokens = network.head(network.forward_features((pixels / 255 - 0.5) / 0.5)[:, 1:])[0]
    vectors = torch.from_numpy(np.load(data / "v.npz")["vectors"]).float()
    cosines = F.cosine_similarity(tokens[:, None], vectors[None], dim=-1)
    maps = (20 * cosines).softmax(1).T.reshape(7, 4, 4).numpy()
    return dict(zip(NAMES, maps[:5], strict=True))


def test_tagged_classes_get_the_maps_of_their_names(data: Path, tmp_path: Path) -> None:
    path = text_maps(data, tmp_path / "c.h5", settings=["features=tokens", "logit-scale=20"])
    with store.open_records(path) as reader:
        header = reader.header
        assert header.classes.names == ("background", "coin", "crate", "horse", "leaf", "star")
        assert header.attributes["values"] == "probability"
        seen = 0
        for record in reader.records():
            expected = by_hand(data, record.name)
            for number, one in zip(record.class_ids, record.data, strict=True):
                np.testing.assert_allclose(one, expected[header.classes.names[number]], atol=1e-5)
                seen += 1
    assert seen == int(np.asarray(header.labels).sum()) > 0
    pseudo_mask(path, output=tmp_path / "m.h5", background_threshold="0.1")
    with store.open_records(tmp_path / "m.h5") as reader:
        assert len(list(reader.records())) == 3


def test_images_alone_get_the_classes_of_the_file(data: Path, tmp_path: Path) -> None:
    (tmp_path / "flat").mkdir()
    name = next(p for p in sorted(data.rglob("*.jpg")) + sorted(data.rglob("*.png")) if "mask" not in str(p))
    (tmp_path / "flat" / name.name).write_bytes(name.read_bytes())
    fixed = {"class_vectors": data / "v.npz", "init": data / "tower.pth"}
    path = text_maps(tmp_path / "flat", tmp_path / "c.h5", **fixed, targets="all")
    with store.open_records(path) as reader:
        assert reader.header.classes.names == ("background", *NAMES)
        (record,) = reader.records()
        assert record.data.shape == (5, 4, 4)
    path = text_maps(tmp_path / "flat", tmp_path / "s.h5", **fixed, targets="scores", score_threshold=0.2)
    with store.open_records(path) as reader:
        (few,) = reader.records()
        scores = reader.tail["score"]
    assert 0 < len(few.data) == len(scores) < 5 and scores.min() > 0.2
    with pytest.raises(UsageError, match="has no image-level labels; use --targets scores or all"):
        text_maps(tmp_path / "flat", tmp_path / "n.h5", **fixed)


def test_the_key_knows_the_vectors_and_the_command_comes_back(data: Path, tmp_path: Path) -> None:
    first = text_maps(data, tmp_path / "a.h5")
    copy = write_vectors(
        tmp_path / "same.npz", *(np.load(data / "v.npz")[k] for k in ("names", "vectors", "background"))
    )
    other = write_vectors(tmp_path / "other.npz", list(NAMES), np.eye(8)[:5], [])
    keys = []
    for path in (
        first,
        text_maps(data, tmp_path / "b.h5", class_vectors=copy),
        text_maps(data, tmp_path / "c.h5", class_vectors=other),
    ):
        with store.open_records(path) as reader:
            keys.append(reader.header.key)
            command = reader.header.provenance[-1]["command"]
    assert keys[0] == keys[1] != keys[2]
    words = shlex.split(command)
    assert words[words.index("--class-vectors") + 1] == str(other)
    assert words[words.index("--init") + 1] == str(data / "tower.pth")
    assert words[words.index("--arch") + 1] == ARCH and "--weights" not in words


def test_a_tower_pads_and_says_so(data: Path, tmp_path: Path) -> None:
    heard = Heard()
    text_maps(data, tmp_path / "c.h5", messages=heard)
    assert sum("interpolates its 10 x 10 positions" in line for line in heard.lines) == 1


@pytest.mark.parametrize(
    ("names", "vectors", "error", "says"),
    [
        (
            ["horse", "coin", "star", "crate", "tree"],
            np.eye(8)[:5],
            BadInputError,
            "cannot be matched by name",
        ),
        (["horse", "coin"], np.eye(8)[:2], BadInputError, "there is no vector for crate, leaf, star"),
        (list(NAMES), np.eye(5), BadInputError, "8 dimensions, but the class vectors have 5"),
    ],
)
def test_vectors_that_do_not_fit(data, tmp_path, names, vectors, error, says) -> None:
    path = write_vectors(tmp_path / "v.npz", names, vectors, [])
    with pytest.raises(error, match=says):
        text_maps(data, tmp_path / "c.h5", class_vectors=path)
    assert [one.name for one in tmp_path.iterdir()] == ["v.npz"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "--method cam needs a trained classifier: give --weights FILE"),
        ("--method text --class-vectors v.npz", "an image tower: --arch timm:NAME and --init FILE"),
        ("--method text --arch timm:test_vit --init tower.pth", "--method text needs --class-vectors FILE"),
        (
            "--method text --class-vectors none.npz --arch timm:test_vit --init tower.pth",
            "--class-vectors: there is no file or folder 'none.npz'",
        ),
        (
            "--method text --class-vectors {data}/v.npz --arch mobilenet-v2 --init {data}/tower.pth",
            "--arch mobilenet-v2: class vectors need an image tower of timm",
        ),
    ],
)
def test_commands_without_what_they_need(data, tmp_path, words, says) -> None:
    words = ["cam", str(data), *words.format(data=data).split(), "-o", str(tmp_path / "c.h5")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code in (2, 66) and says in done.stderr
    assert len(done.stderr.splitlines()) == 1
