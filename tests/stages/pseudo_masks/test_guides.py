"""``pseudo-mask`` with regions and features: whose images they are, keys, order of refiners, bad input."""

import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from tests.messages import Heard
from tests.stages.toy import CLASSES, write_rectangles
from tests.store.records import read
from wsstool import store
from wsstool.cli.app import app
from wsstool.errors import BadInputError, ExitCode, UsageError
from wsstool.masks.guided.affinity import affinity
from wsstool.masks.guided.region_vote import region_vote
from wsstool.masks.normalise import scores_at
from wsstool.models.classifier import NORMALIZATIONS, build_classifier, normalise
from wsstool.models.weights import build_from_weights, save_weights
from wsstool.stages.inputs.tags import open_tagged
from wsstool.stages.objects.propose import propose
from wsstool.stages.predict.predict import predict
from wsstool.stages.pseudo_masks.cam import cam
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask
from wsstool.stages.streams.merge import merge


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, class maps of a random network, and proposals."""
    root = write_rectangles(tmp_path_factory.mktemp("toy"), 4)
    mean, std = NORMALIZATIONS["imagenet"]
    torch.manual_seed(0)
    meta = {"arch": "tiny", "task": "classification", "classes": list(CLASSES.names), "class_ids": [1, 2]}
    save_weights(
        root / "c.pth",
        build_classifier("tiny", 2).state_dict(),
        meta | {"background": 0, "mean": mean, "std": std},
    )
    cam(root, weights=root / "c.pth", targets="all", output=root / "cams.h5", workers=0)
    propose(root, output=root / "p.h5", workers=0)
    return root


def masks(toy: Path, output: Path, **own) -> list[np.ndarray]:
    pseudo_mask(toy / "cams.h5", output=output, background="none", normalise="class", **own)
    return [record.data[0] for record in read(output)[1]]


def test_regions_vote_as_the_function_does(toy, tmp_path):
    found = masks(toy, tmp_path / "m.h5", refine="regions", regions=toy / "p.h5")
    cams, proposals = store.open_random(toy / "cams.h5"), store.open_random(toy / "p.h5")
    for i, labels in enumerate(found):
        scores = scores_at(cams[i].maps[0].astype(np.float32), "class", cams[i].size)
        image = np.zeros((*cams[i].size, 3), np.uint8)
        voted = region_vote(scores, image, proposals[i].proposals)
        np.testing.assert_array_equal(labels, 1 + voted.argmax(0))
        assert (labels != 1 + scores.argmax(0)).any()


def test_proposals_of_more_images_in_another_order_serve_a_shard(toy, tmp_path):
    whole = masks(toy, tmp_path / "m.h5", refine="regions", regions=toy / "p.h5")
    for i in range(2):
        cam(
            toy,
            weights=toy / "c.pth",
            targets="all",
            shard=f"{i}/2",
            output=tmp_path / f"c{i}.h5",
            workers=0,
        )
        pseudo_mask(
            tmp_path / f"c{i}.h5",
            output=tmp_path / f"m{i}.h5",
            background="none",
            normalise="class",
            refine="regions",
            regions=toy / "p.h5",
        )
    merge([str(tmp_path / f"m{i}.h5") for i in range(2)], output=tmp_path / "merged.h5")
    for record, expected in zip(read(tmp_path / "merged.h5")[1], whole, strict=True):
        np.testing.assert_array_equal(record.data[0], expected)


def test_the_proposals_are_part_of_the_key_and_of_the_history(toy, tmp_path):
    masks(toy, tmp_path / "m.h5", refine="regions", regions=toy / "p.h5")
    propose(toy, output=tmp_path / "slic.h5", method="slic", workers=0)
    masks(toy, tmp_path / "s.h5", refine="regions", regions=tmp_path / "slic.h5")
    one, other = (read(tmp_path / name)[0] for name in ("m.h5", "s.h5"))
    assert one.key != other.key
    steps = one.provenance
    assert [step["stage"] for step in steps] == ["cam", "propose", "pseudo-mask"]
    assert f"--regions {steps[1]['key'][:12]}.h5" in steps[2]["command"]
    assert "--refine regions" in steps[2]["command"]


def test_refiners_run_in_the_order_given(toy, tmp_path):
    both = {"regions": toy / "p.h5", "settings": ["vote=sepl", "logit_scale=2"]}
    one = masks(toy, tmp_path / "1.h5", refine=["regions", "crf"], **both)
    other = masks(toy, tmp_path / "2.h5", refine=["crf", "regions"], **both)
    assert any((a != b).any() for a, b in zip(one, other, strict=True))
    assert read(tmp_path / "1.h5")[0].params["refine"] == ["regions", "crf"]
    with pytest.raises(UsageError, match="--refine crf is there twice"):
        masks(toy, tmp_path / "3.h5", refine=["crf", "crf"])


def test_one_refiner_enters_the_key_as_its_name(toy, tmp_path):
    masks(toy, tmp_path / "m.h5", refine="crf", settings=["steps=1"])
    assert read(tmp_path / "m.h5")[0].params["refine"] == "crf"


class TestFeatures:
    """Of a network's backbone: the classifier's own, or start weights."""

    def test_are_those_of_the_backbone(self, toy, tmp_path):
        found = masks(toy, tmp_path / "m.h5", refine="affinity", weights=toy / "c.pth", feature_scale=1)
        cams, model = store.open_random(toy / "cams.h5"), build_from_weights(toy / "c.pth")[0]
        for i, labels in enumerate(found):
            image = np.array(Image.open(toy / cams[i].name))
            x = normalise(torch.from_numpy(image).movedim(-1, 0)[None], *NORMALIZATIONS["imagenet"])
            with torch.no_grad():
                features = model.backbone(x)[0].numpy()
            scores = scores_at(cams[i].maps[0].astype(np.float32), "class", cams[i].size)
            spread = affinity(scores, image, features)
            assert (labels == 1 + spread.argmax(0)).mean() > 0.999  # but for rounding

    def test_of_start_weights_are_the_same(self, toy, tmp_path):
        state = torch.load(toy / "c.pth", weights_only=True)["state_dict"]
        state = {k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")}
        torch.save(state, tmp_path / "b.pth")
        one = masks(toy, tmp_path / "1.h5", refine="affinity", weights=toy / "c.pth")
        other = masks(toy, tmp_path / "2.h5", refine="affinity", init=tmp_path / "b.pth", arch="tiny")
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
        header = read(tmp_path / "2.h5")[0]
        assert [given["role"] for given in header.inputs] == ["input", "init"]
        assert "--arch tiny" in header.provenance[-1]["command"]
        assert header.key != read(tmp_path / "1.h5")[0].key

    def test_are_needed(self, toy, tmp_path):
        with pytest.raises(UsageError, match="affinity needs features of a network: give --weights FILE, or"):
            masks(toy, tmp_path / "m.h5", refine="affinity")
        with pytest.raises(UsageError, match="--init needs --arch"):
            masks(toy, tmp_path / "m.h5", refine="affinity", init=toy / "c.pth")
        with pytest.raises(UsageError, match="exclude each other"):
            masks(toy, tmp_path / "m.h5", refine="affinity", init=toy / "c.pth", weights=toy / "c.pth")
        with pytest.raises(UsageError, match="--method ncut needs the features of a network"):
            propose(toy, method="ncut", output=tmp_path / "p.h5")

    def test_cut_images_into_proposals(self, toy, tmp_path):
        propose(toy, method="ncut", weights=toy / "c.pth", settings=["objects=2"], output=tmp_path / "p.h5")
        header, records, _ = read(tmp_path / "p.h5")
        assert [given["role"] for given in header.inputs] == ["data", "weights"]
        assert all(1 <= len(record.proposals) <= 3 for record in records)
        again = propose(
            toy, method="ncut", weights=toy / "c.pth", settings=["objects=2"], output=tmp_path / "p.h5"
        )
        assert again["key"] == header.key and again["proposals"] == 0

    def test_options_of_networks_that_nothing_reads(self, toy, tmp_path):
        for words in (["pseudo-mask", toy / "cams.h5"], ["propose", toy]):
            out = ["--weights", toy / "c.pth", "-o", tmp_path / f"{words[0]}.h5"]
            done = CliRunner().invoke(app, list(map(str, [*words, *out])))
            assert done.exit_code == 0
            assert "--weights does nothing without a method that reads" in " ".join(done.stderr.split())


class TestBadInput:
    def test_regions_are_needed(self, toy, tmp_path):
        with pytest.raises(UsageError, match="--refine regions needs region proposals: give --regions FILE"):
            masks(toy, tmp_path / "m.h5", refine="regions")
        with pytest.raises(UsageError, match="give --regions FILE to 'wsstool pseudo-mask'"):
            predict(toy, weights=toy / "c.pth", refine="regions", output=tmp_path / "m.h5")

    def test_regions_that_nothing_reads(self, toy, tmp_path):
        words = ["pseudo-mask", toy / "cams.h5", "--regions", toy / "p.h5", "-o", tmp_path / "m.h5"]
        done = CliRunner().invoke(app, list(map(str, words)))
        assert done.exit_code == 0
        assert "--regions does nothing without --refine regions" in " ".join(done.stderr.split())

    def test_a_file_of_another_kind(self, toy, tmp_path):
        with pytest.raises(BadInputError, match=r"propose"):
            masks(toy, tmp_path / "m.h5", refine="regions", regions=toy / "cams.h5")

    def test_both_inputs_on_standard_input(self):
        words = ["pseudo-mask", "-", "--refine", "regions", "--regions", "-", "-o", "m.h5"]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == ExitCode.USAGE and "standard input can be only one" in done.stderr

    def test_missing_images_other_sizes_and_other_content(self, toy, tmp_path):
        other = tmp_path / "other"
        shutil.copytree(toy / "images", other)
        (other / "00.png").unlink()
        propose(other, output=tmp_path / "few.h5", workers=0)
        with pytest.raises(BadInputError, match=r"no proposals for 'images/00.png'"):
            masks(toy, tmp_path / "m.h5", refine="regions", regions=tmp_path / "few.h5")

    def test_images_of_another_size(self, toy, tmp_path):
        other = write_rectangles(tmp_path, 4)
        shutil.copy(other / "images/00.png", other / "images/01.png")
        propose(other, output=tmp_path / "p.h5", workers=0)
        with pytest.raises(BadInputError, match=r"proposals of 'images/01.png' have 50 x 33 pixels, but its"):
            masks(toy, tmp_path / "m.h5", refine="regions", regions=tmp_path / "p.h5")

    def test_images_of_equal_names_and_sizes(self, toy, tmp_path):
        other = write_rectangles(tmp_path, 4)
        shutil.copy(other / "images/01.png", other / "images/02.png")
        propose(other, output=tmp_path / "p.h5", workers=0)
        with pytest.raises(BadInputError, match="different content"):
            masks(toy, tmp_path / "m.h5", refine="regions", regions=tmp_path / "p.h5")

    @pytest.mark.parametrize("changed", [False, True])
    def test_proposals_of_more_images(self, toy, tmp_path, changed):
        other = write_rectangles(tmp_path, 5)
        if changed:
            shutil.copy(other / "images/01.png", other / "images/02.png")
        propose(other, output=tmp_path / "p.h5", workers=0)
        heard = Heard()
        with pytest.raises(BadInputError, match="different content") if changed else nullcontext():
            pseudo_mask(
                toy / "cams.h5",
                output=tmp_path / "m.h5",
                refine="regions",
                regions=tmp_path / "p.h5",
                messages=heard,
            )
        assert not any("compared" in text for text in heard.warned)

    @pytest.mark.parametrize("named_by", ["option", "variable"])
    def test_a_folder_with_other_images(self, toy, tmp_path, named_by, monkeypatch):
        def refined(folder: Path) -> None:
            monkeypatch.setenv("WSSTOOL_IMAGES", str(folder) if named_by == "variable" else "")
            own = {"images": folder} if named_by == "option" else {}
            masks(toy, tmp_path / "m.h5", refine="crf", **own)

        other = write_rectangles(tmp_path, 4)
        refined(other)
        shutil.copy(other / "images/01.png", other / "images/02.png")
        with pytest.raises(BadInputError, match="different content"):
            refined(other)
        with pytest.raises(BadInputError, match="different content"):
            open_tagged(toy / "cams.h5", None, None, None, other)

    def test_an_image_whose_proposals_failed_fails_alone(self, toy, tmp_path):
        other = write_rectangles(tmp_path, 5)  # one image more
        (other / "images/01.png").write_bytes(b"\x89PNG nonsense")
        propose(other, output=tmp_path / "p.h5", workers=0, max_failed=1)
        shutil.rmtree(other / "images")
        heard = Heard()
        done = pseudo_mask(
            toy / "cams.h5",
            output=tmp_path / "m.h5",
            refine="regions",
            regions=tmp_path / "p.h5",
            max_failed=1,
            messages=heard,
        )
        assert done["failed"] == ["images/01.png"]
        assert any("proposals failed" in text for text in heard.warned)
        assert any("content was not compared" in text for text in heard.warned)

    def test_records_without_a_proposal_change_nothing(self, toy, tmp_path):
        propose(toy, output=tmp_path / "none.h5", workers=0, min_area=100_000)
        plain = masks(toy, tmp_path / "plain.h5")
        found = masks(toy, tmp_path / "m.h5", refine="regions", regions=tmp_path / "none.h5")
        for one, other in zip(found, plain, strict=True):
            np.testing.assert_array_equal(one, other)
