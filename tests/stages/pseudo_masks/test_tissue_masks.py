"""From a patch folder in the published layout, and its class maps, to published pseudo-mask folders."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.messages import Heard
from tests.stages.tissue import LAYERS, SIDE, write_maps, write_tree
from wsstool import store
from wsstool.cli.app import app
from wsstool.data.classlist import read_class_list
from wsstool.data.dataset import open_dataset
from wsstool.data.known_classes import BCSS_CLASSES, LUAD_CLASSES
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask
from wsstool.stages.scoring.evaluate import evaluate
from wsstool.stages.streams.info import info

TAGS = [(1, 0, 0, 1), (0, 1, 0, 0), (0, 0, 0, 0)]
HALF = SIDE // 2


def three_layers():
    """Halves of class 0 and 3 in the first layer, swapped in the second, constant in the third.

    Class 1 has the joint minimum in one corner; class 2, never tagged, has the joint maximum.
    """
    maps = np.zeros((3, 4, SIDE, SIDE), np.float32)
    maps[0, 0, :, :HALF], maps[0, 3, :, HALF:] = 1, 1
    maps[1, 3, :, :HALF], maps[1, 0, :, HALF:] = 1, 1
    maps[:2, 1], maps[:2, 1, -1, -1] = 0.5, -1
    maps[:2, 2] = 3
    maps[2] = 7
    return maps


@pytest.fixture
def luad(tmp_path):
    return write_tree(tmp_path / "luad", TAGS)


@pytest.fixture
def cams(luad, tmp_path):
    return write_maps(tmp_path / "cams.h5", luad, three_layers())


def read(path):
    with store.open_records(path, kinds=("mask",)) as reader:
        return reader.header, [record.data.copy() for record in reader.records()]


def test_luad_masks_have_white_at_index_4(cams, tmp_path):
    heard = Heard()
    pseudo_mask(cams, output=tmp_path / "m.h5", rule="multilayer", background="white", messages=heard)
    header, (two, one, none) = read(tmp_path / "m.h5")
    assert header.layers == LAYERS and header.classes == LUAD_CLASSES
    assert two.shape == (3, SIDE, SIDE)
    assert (two[:, :HALF] == 4).all() and (one[:, :HALF] == 4).all()  # the glass
    assert (two[0, HALF:, :HALF] == 0).all() and (two[0, HALF:, HALF:] == 3).all()
    np.testing.assert_array_equal(two[0, HALF:, ::-1], two[1, HALF:])
    assert (two[2, HALF:] == 0).all() and (one[2, HALF:] == 1).all()  # constant maps: the lowest tag
    assert np.argwhere(one[0, HALF:] != 1).tolist() == [[HALF - 1, SIDE - 1]]
    assert one[0, -1, -1] == 0  # where the only tag has the joint minimum, id 0 wins
    assert (none == 255).all()
    assert heard.lines == [
        "1 images without labels have value 255 in all pixels, such as train/patch-2-[0 0 0 0].png"
    ]


def test_ties_among_the_tags_by_switch(cams, tmp_path):
    pseudo_mask(
        cams, output=tmp_path / "m.h5", rule="multilayer", settings=["tagged-only=yes"], background="none"
    )
    assert (read(tmp_path / "m.h5")[1][1] == 1).all()


def test_bcss_masks_have_no_white(tmp_path):
    root = write_tree(tmp_path / "bcss", TAGS, "bcss")
    cams = write_maps(tmp_path / "c.h5", root, three_layers())
    pseudo_mask(cams, output=tmp_path / "m.h5", rule="multilayer", background="none")
    header, (two, one, _) = read(tmp_path / "m.h5")
    assert header.classes == BCSS_CLASSES and not ((two == 4) | (one == 4)).any()
    pseudo_mask(cams, output=tmp_path / "auto.h5", rule="multilayer")  # no score makes background either
    np.testing.assert_array_equal(read(tmp_path / "auto.h5")[1][0], two)
    (root / "train").rename(root / "elsewhere")  # no pixel is read
    pseudo_mask(cams, output=tmp_path / "n.h5", rule="multilayer", background="none")


def test_white_takes_its_settings_and_works_with_every_rule(cams, tmp_path):
    pseudo_mask(cams, output=tmp_path / "m.h5", background="white", settings=["white-above=240"])
    assert not any((mask == 4).any() for mask in read(tmp_path / "m.h5")[1])
    settings = [f"white-smallest={SIDE * HALF}", "low=0", "high=0"]
    pseudo_mask(cams, output=tmp_path / "m.h5", rule="threshold", background="white", settings=settings)
    assert all((mask[:, :HALF] == 4).all() for mask in read(tmp_path / "m.h5")[1])
    settings[0] = f"white-smallest={SIDE * HALF + 1}"
    pseudo_mask(cams, output=tmp_path / "m.h5", rule="threshold", background="white", settings=settings)
    header, masks = read(tmp_path / "m.h5")
    assert not any((mask == 4).any() for mask in masks)
    assert header.params["background"] == "white" and "white_smallest=129" in header.params["set"]


def test_white_is_unknown_in_a_set_without_background(luad, tmp_path):
    (luad / "classes.txt").write_text("0 a\n1 b\n2 c\n3 d\n")
    cams = write_maps(tmp_path / "c.h5", luad, three_layers())
    pseudo_mask(cams, output=tmp_path / "m.h5", rule="multilayer", background="white")
    header, masks = read(tmp_path / "m.h5")
    assert header.classes.background == -1
    assert all((mask[:, :HALF] == 255).all() for mask in masks) and (masks[0][:, HALF:] != 255).all()


def test_missing_tags_maps_and_pictures_are_said(luad, cams, tmp_path):
    bare = write_maps(tmp_path / "bare.h5", luad, three_layers(), labels=False)
    with pytest.raises(BadInputError, match="needs image-level labels"):
        pseudo_mask(bare, output=tmp_path / "m.h5", rule="multilayer")
    heard = Heard()
    some = write_maps(tmp_path / "some.h5", luad, three_layers()[:, :2], ids=(0, 1))
    pseudo_mask(some, output=tmp_path / "m.h5", rule="multilayer", background="none", messages=heard)
    assert any("absent classes have no maps" in text for text in heard.lines)
    luad.rename(tmp_path / "moved")
    with pytest.raises(MissingInputError, match="--images"):
        pseudo_mask(cams, output=tmp_path / "w.h5", rule="multilayer", background="white")
    pseudo_mask(
        cams, output=tmp_path / "w.h5", rule="multilayer", background="white", images=tmp_path / "moved"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"background": "black"},
        {"settings": ["white_above=200"]},
        {"background": "white", "settings": ["white_above=much"]},
        {"background": "white", "settings": ["tagged=yes"]},
        {"background": "white", "settings": ["white_above=300"]},
    ],
)
def test_wrong_options_are_usage_errors(cams, tmp_path, wrong):
    with pytest.raises(UsageError):
        pseudo_mask(cams, output=tmp_path / "m.h5", rule="multilayer", **wrong)
    assert not list(tmp_path.glob("m.h5*"))


@pytest.mark.parametrize(("recipe", "white"), [("wsss-tissue-luad", True), ("wsss-tissue-bcss", False)])
def test_recipes_make_the_published_folders(cams, luad, tmp_path, recipe, white):
    masks, out = tmp_path / "m.h5", luad / "train_PM"
    runner = CliRunner()
    made = runner.invoke(app, ["pseudo-mask", str(cams), "--recipe", recipe, "-o", str(masks)])
    assert made.exit_code == 0, made.output
    written = runner.invoke(app, ["export", str(masks), "--recipe", recipe, "-o", str(out)])
    assert written.exit_code == 0, written.output
    visible = {p.name for p in out.iterdir() if not p.name.startswith(".")}
    assert visible == {"PM_b4_5", "PM_b5_2", "PM_bn7", "classes.txt"}
    assert read_class_list(out / "classes.txt") == LUAD_CLASSES
    names = {"patch-0-[1 0 0 1].png", "patch-1-[0 1 0 0].png"}  # of the patch without a tag nothing is known
    assert all({p.name for p in (out / f"PM_{layer}").iterdir()} == names for layer in LAYERS)
    _, records = read(masks)
    with Image.open(out / "PM_bn7" / "patch-0-[1 0 0 1].png") as picture:
        assert picture.mode == "P" and picture.getpalette()[:15] == np.ravel(LUAD_CLASSES.palette).tolist()
        np.testing.assert_array_equal(np.asarray(picture), records[0][2])
    assert (records[0] == 4).any() == white
    assert open_dataset(luad, split="train").names == read(masks)[0].images  # masks are no patches


class TestPublishedTree:
    def test_info_describes_all_of_it(self, luad):
        found = info(luad)
        assert found["splits"] == ["test", "train", "val"] and found["images"] == 7
        assert found["with_true_mask"] == 4 and found["without_tags"] == 5
        assert found["classes"] == ["TE", "NEC", "LYM", "TAS", "background"]
        assert found["images_by_class"] == {"TE": 1, "NEC": 1, "TAS": 1}
        assert (info(luad, split="val")["images"], info(luad, split="train")["images"]) == (2, 3)
        with pytest.raises(UsageError, match="no split 'valid'"):
            info(luad, split="valid")

    def test_index_4_of_true_masks_takes_no_part(self, luad):
        val = open_dataset(luad, split="val")
        expected = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % 5
        np.testing.assert_array_equal(val.mask(0), np.where(expected == 4, 255, expected))

    def test_eval_leaves_index_4_out(self, luad, tmp_path):
        """The truth counts 0, 1, 2, 3, 4 along; the prediction is right but for 1, and says 0 where 4 is."""
        val = open_dataset(luad, split="val")
        prediction = np.arange(SIDE * SIDE, dtype=np.uint8).reshape(1, SIDE, SIDE) % 5
        prediction[(prediction == 1) | (prediction == 4)] = 0
        header = store.new_header(
            "mask",
            stage="predict",
            params={},
            inputs=[],
            images=val.names,
            sizes=val.sizes(),
            shapes=np.tile(prediction.shape, (2, 1)),
            classes=val.classes,
            image_root=luad,
        )
        with store.create(header, tmp_path / "p.h5") as writer:
            for _ in val.names:
                writer.write(prediction)
        (row,) = evaluate([tmp_path / "p.h5"], ignore_class="background", bootstrap=0)["rows"]
        assert list(row["classes"]["iou"].values()) == [pytest.approx(52 / 103), 0, 1, 1, None]
        assert row["miou"] == pytest.approx((52 / 103 + 2) / 4)

    @pytest.mark.parametrize(("name", "classes"), [("luad", LUAD_CLASSES), ("bcss", BCSS_CLASSES)])
    def test_a_folder_without_tags_takes_a_known_class_list(self, luad, tmp_path, name, classes, monkeypatch):
        (luad / "test").rename(tmp_path / "bare")
        monkeypatch.chdir(tmp_path)  # where a folder is called luad, which is no class list
        bare = open_dataset(tmp_path / "bare", class_list=name)
        assert bare.classes == classes and len(bare) == 2
        assert set(np.unique(bare.mask(0))) == {0, 1, 2, 3, 255}

    def test_a_file_of_that_name_goes_first(self, luad):
        (luad / "luad").write_text("0 a\n1 b\n2 c\n3 d\n")
        assert open_dataset(luad, split="train", class_list="luad").classes.names == ("a", "b", "c", "d")
