"""eval: the numbers of files equal those of the arrays, and bad input gets one sentence."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.stages.chain import CLASSES, SIZE, predicted, truth_of, write_cams, write_data, write_masks
from wsstool.data.masks import write_mask
from wsstool.errors import BadInputError, BelowThresholdError, MissingInputError, UsageError
from wsstool.metrics.confusion import ConfusionMatrix
from wsstool.metrics.segmentation import segmentation_scores
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask
from wsstool.stages.scoring.evaluate import evaluate
from wsstool.stages.scoring.label_maps import columns


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data")


@pytest.fixture
def masks(tmp_path, data):
    return write_masks(tmp_path / "masks.h5", data)


def by_hand(indices=range(6), predict=predicted, **options):
    confusion = ConfusionMatrix(3)
    for i in indices:
        confusion.update(predict(i), truth_of(i))
    return segmentation_scores(confusion.matrix, **options)


def test_mask_file_beside_its_truth(masks):
    found = evaluate([masks])
    expected = by_hand()
    (row,) = found["rows"]
    assert found["images"] == 6 and row["name"] == "argmax"
    assert row["miou"] == pytest.approx(expected.mean_iou)
    assert list(row["classes"]["iou"]) == list(CLASSES.names)
    assert list(row["classes"]["iou"].values()) == pytest.approx(expected.iou)
    assert row["interval"]["low"] < row["miou"] < row["interval"]["high"]
    assert row["blind"]["tags"] == "file" and 0 < row["blind"]["miou"] < row["miou"]
    assert row["tags"] == {"exact_match": 1, "jaccard": 1}
    assert "truth or prediction" in found["definition"]
    json.dumps(found, allow_nan=False)


def test_images_with_several_labels_are_scored_apart(tmp_path, data, masks):
    several = evaluate([masks])["rows"][0]["several_labels"]  # images 0 and 3
    alone = evaluate([write_masks(tmp_path / "two.h5", data, (0, 3))])["rows"][0]
    assert several["images"] == 2 and several["miou"] == pytest.approx(by_hand((0, 3)).mean_iou)
    assert several["miou"] == alone["miou"] and several["blind"] == alone["blind"]["miou"]
    assert alone["several_labels"]["miou"] == alone["miou"]
    one = evaluate([write_masks(tmp_path / "one.h5", data, (1, 2))])["rows"][0]
    assert one["several_labels"] == {"images": 0, "miou": None, "blind": None}


def test_the_table_has_them_only_where_they_differ(tmp_path, data, masks):
    def shown(path):
        table, *rest = columns(evaluate([path], bootstrap=0))
        return table.header, [text for text in rest if isinstance(text, str)]

    header, lines = shown(masks)
    assert header[-2:] == ["2+ labels", "blind, 2+"]
    assert "2+ labels: mIoU over the 2 images with two or more labels." in lines
    for indices in ((0, 3), (1, 2)):
        header, lines = shown(write_masks(tmp_path / f"{indices[0]}.h5", data, indices))
        assert "2+ labels" not in header and not any("2+" in line for line in lines)


def test_the_width_of_boundaries(masks):
    narrow, wide = (
        evaluate([masks], boundary=True, boundary_ratio=ratio)["rows"][0]["boundary_iou"]
        for ratio in (0.02, 0.2)
    )
    assert narrow == evaluate([masks], boundary=True)["rows"][0]["boundary_iou"] < wide
    with pytest.raises(UsageError, match="--boundary-ratio needs --boundary"):
        evaluate([masks], boundary_ratio=0.1)
    with pytest.raises(UsageError, match="--boundary-of does not apply to label maps"):
        evaluate([masks], boundary_of="object")


def test_a_single_source_needs_no_list(masks, data):
    found = evaluate([masks])
    assert evaluate(masks) == evaluate(str(masks), truth=str(data)) == found
    assert evaluate(sources=masks, bootstrap=0)["rows"][0]["miou"] == found["rows"][0]["miou"]


def test_layers_are_rows(tmp_path, data):
    path = write_masks(tmp_path / "two.h5", data, layers=("argmax", "oracle"))
    first, second = evaluate([path], boundary=True)["rows"]
    assert first["miou"] == pytest.approx(by_hand().mean_iou)
    assert second["miou"] == second["boundary_iou"] == 1 > first["boundary_iou"]


def test_split_and_folder_of_truth(tmp_path, masks, data):
    (tmp_path / "few.txt").write_text("p1\np4\n")
    found = evaluate([masks], split=str(tmp_path / "few.txt"))
    assert found["images"] == 2
    assert found["rows"][0]["miou"] == pytest.approx(by_hand([1, 4]).mean_iou)
    moved = shutil.move(data / "masks", tmp_path / "elsewhere")
    with pytest.raises(MissingInputError, match="no ground-truth mask"):
        evaluate([masks])
    assert evaluate([masks], truth=moved)["rows"][0]["miou"] == pytest.approx(by_hand().mean_iou)
    write_data(tmp_path / "copy")
    assert evaluate([masks], truth=tmp_path / "copy")["images"] == 6


def test_images_without_truth_are_left_out_and_said(masks, data):
    (data / "masks" / "p3.png").unlink()
    found = evaluate([masks])
    assert (found["images"], found["without_truth"]) == (5, 1)
    assert found["rows"][0]["miou"] == pytest.approx(by_hand([0, 1, 2, 4, 5]).mean_iou)


def test_failed_images_count_as_wrong(tmp_path, data):
    path = write_masks(tmp_path / "failed.h5", data, fail=(2,))

    def predict(i):
        return np.full(SIZE, 255, np.uint8) if i == 2 else predicted(i)

    found = evaluate([path])
    assert found["failed"] == 1
    assert found["rows"][0]["miou"] == pytest.approx(by_hand(predict=predict).mean_iou)
    skipped = evaluate([path], ignored_prediction="skip")["rows"][0]["miou"]
    assert skipped == pytest.approx(by_hand([0, 1, 3, 4, 5]).mean_iou)


def test_view_of_the_class_list_decides_about_the_masks(tmp_path, data):
    """Masks of another view mean other classes and are never taken."""
    (data / "classes_two.txt").write_text("0 a\n1 b\n2 c\n")
    shutil.copytree(data / "masks", data / "masks_two")
    for i in range(6):
        write_mask(data / "masks_two" / f"p{i}.png", np.zeros(SIZE, np.uint8))
    path = write_masks(tmp_path / "masks.h5", data)
    assert evaluate([path])["rows"][0]["miou"] == pytest.approx(by_hand().mean_iou)


def test_cam_file_and_oracle_sweep(tmp_path, data):
    path = write_cams(tmp_path / "cam.h5", data)
    (low,) = evaluate([path], background_threshold=0.15, sweep=True)["rows"]  # below the 0.2 around objects
    (high,) = evaluate([path], background_threshold=0.5)["rows"]
    assert high["miou"] == 1 > low["miou"]
    assert low["sweep"]["label"] == "oracle" and low["sweep"]["miou"] == 1
    assert 0.15 < low["sweep"]["threshold"] <= 0.22
    assert dict(low["sweep"]["curve"])[0.15] == pytest.approx(low["miou"])
    assert low["tags"] == {}
    everything = evaluate([write_cams(tmp_path / "all.h5", data, targets="all")], background_threshold=0.5)
    assert everything["rows"][0]["tags"] == {"map": 1, "exact_match": 1, "jaccard": 1}
    (none,) = evaluate([path], background="none")["rows"]
    assert none["classes"]["iou"]["background"] == 0
    with pytest.raises(UsageError, match="background"):
        evaluate([path], background="none", sweep=True)


@pytest.mark.parametrize("background", ["auto", "none"])
def test_cams_are_scored_as_the_masks_that_they_make(tmp_path, data, background):
    cam = write_cams(tmp_path / "cam.h5", data)
    pseudo_mask(cam, output=tmp_path / "masks.h5", background=background)
    scored = evaluate([cam], background=background)["rows"][0]
    assert scored["miou"] == evaluate([tmp_path / "masks.h5"])["rows"][0]["miou"]


def test_folder_of_masks(tmp_path, data):
    folder = tmp_path / "out"
    folder.mkdir()
    for i in range(6):
        write_mask(folder / f"p{i}.png", predicted(i), CLASSES)
    found = evaluate([folder], truth=data / "masks")
    assert found["rows"][0]["miou"] == pytest.approx(by_hand().mean_iou)
    assert found["rows"][0]["blind"]["tags"] == "truth"
    (data / "classes.txt").unlink()
    with pytest.raises(BadInputError, match="--class-list"):
        evaluate([folder], truth=data / "masks")


def test_score_files_merge_to_one_pass(tmp_path, data, masks):
    whole = evaluate([masks], output=tmp_path / "all.json")
    assert evaluate([tmp_path / "all.json"])["rows"] == whole["rows"]
    for name, part in (("a", [0, 1, 2]), ("b", [3, 4, 5])):
        path = write_masks(tmp_path / f"{name}.h5", data, part)
        evaluate([path], output=tmp_path / f"{name}.json")
    merged = evaluate([tmp_path / "a.json", tmp_path / "b.json"])
    assert merged["images"] == 6 and merged["rows"] == whole["rows"]
    with pytest.raises(BadInputError, match="again"):
        evaluate([tmp_path / "a.json", tmp_path / "a.json"])
    (tmp_path / "c.json").write_text("{}")
    with pytest.raises(BadInputError, match="not a score file"):
        evaluate([tmp_path / "c.json"])


def test_two_methods_are_compared_image_by_image(tmp_path, data, masks):
    evaluate([masks], output=tmp_path / "one.json")
    other = write_masks(tmp_path / "other.h5", data, shift=3)
    (row,) = evaluate([other], against=tmp_path / "one.json")["rows"]
    expected = by_hand(predict=lambda i: predicted(i, 3)).mean_iou - by_hand().mean_iou
    than = row["against"]
    assert than["miou"] == pytest.approx(expected) and than["name"] == "argmax"
    assert than["interval"]["low"] <= expected <= than["interval"]["high"] < 0
    (same,) = evaluate([masks], against=tmp_path / "one.json", group="patient")["rows"]
    assert same["against"]["miou"] == 0 and same["against"]["interval"]["units"] == 3
    few = write_masks(tmp_path / "few.h5", data, [0, 1])
    with pytest.raises(BadInputError, match="different images"):
        evaluate([few], against=tmp_path / "one.json")
    with pytest.raises(MissingInputError, match="cannot read"):
        evaluate([masks], against=tmp_path / "gone.json")


def test_groups_come_from_a_table(masks):
    found = evaluate([masks], group="patient")["rows"][0]["interval"]
    assert found["units"] == 3
    with pytest.raises(BadInputError, match="no column"):
        evaluate([masks], group="hospital")


def test_fail_under_keeps_the_scores(masks):
    assert evaluate([masks], fail_under="0.1")
    assert evaluate([masks], fail_under="pixel-accuracy=0.5")
    with pytest.raises(BelowThresholdError, match="miou of argmax is 0") as caught:
        evaluate([masks], fail_under="0.99")
    assert caught.value.summary["rows"][0]["miou"] < 0.99
    for bad, says in (("2", "fraction"), ("beauty=0.5", "no 'beauty'"), ("x", "fraction"), ("nan", "'nan'")):
        with pytest.raises(UsageError, match=says):
            evaluate([masks], fail_under=bad)
    with pytest.raises(UsageError, match=r"^--fail-under boundary-iou: .*--boundary"):
        evaluate([masks], fail_under="boundary-iou=0.5")


def test_metrics_are_named_as_they_are_typed(masks):
    with pytest.raises(BelowThresholdError, match=r"^pixel-accuracy of argmax is 0\.\d+, below 1$"):
        evaluate([masks], fail_under="pixel_accuracy=1")
    with pytest.raises(UsageError, match=r"^--fail-under box-fit: of label maps there are miou, pixel-accu"):
        evaluate([masks], fail_under="box_fit=1")
    with pytest.raises(UsageError, match=r"there is no 'a-b', but miou, pixel-accuracy, .*, voc-ap-11$"):
        evaluate([masks], fail_under="a_b=1")


def test_missing_images_are_sought_where_the_message_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_masks(tmp_path / "runs.h5", write_data(Path("data")))
    (tmp_path / "runs").mkdir()
    shutil.move("runs.h5", "runs/masks.h5")
    shutil.rmtree("data")
    places = f"'{tmp_path}/data' or '{tmp_path}/runs/data'"
    with pytest.raises(MissingInputError, match=f"^the images are not in {places} any more; name the "):
        evaluate(["runs/masks.h5"])
    monkeypatch.setenv("WSSTOOL_IMAGES", "elsewhere")
    with pytest.raises(MissingInputError, match=f"^the images are not in '{tmp_path}/elsewhere' any more"):
        evaluate(["runs/masks.h5"])


@pytest.mark.parametrize(
    ("mask", "message"),
    [(np.zeros((4, 5), np.uint8), "5 x 4 pixels"), (np.full(SIZE, 9, np.uint8), "contains class 9")],
)
def test_truth_that_does_not_fit(masks, data, mask, message):
    Image.fromarray(mask).save(data / "masks" / "p2.png")
    with pytest.raises(BadInputError, match=message):
        evaluate([masks])


def test_options_that_do_not_fit(tmp_path, masks):
    with pytest.raises(UsageError, match="label maps"):
        evaluate([masks], sweep=True)
    with pytest.raises(UsageError, match="unknown class"):
        evaluate([masks], ignore_class="dog")
    with pytest.raises(UsageError, match="one source"):
        evaluate([masks, tmp_path])
    with pytest.raises(MissingInputError):
        evaluate([tmp_path / "none.h5"])
    assert evaluate([masks], ignore_class="square")["rows"][0]["classes"]["iou"]["square"] is None


@pytest.mark.parametrize("names", [("TE", "NEC", "LYM", "TAS"), ("TUM", "STR", "LYM", "NEC")])
def test_tissue_with_an_excluded_class_on_paper(tmp_path, names):
    """Index 4 of the truth leaves the counts, whatever is predicted there; the order is the class list's."""
    truth = np.array([[0, 0, 0, 0, 1, 1], [1, 1, 2, 2, 4, 4]], np.uint8)
    found = np.array([[0, 0, 0, 1, 1, 1], [1, 2, 2, 2, 0, 3]], np.uint8)
    for folder, mask in (("truth", truth), ("found", found)):
        (tmp_path / folder).mkdir()
        Image.fromarray(mask).save(tmp_path / folder / "a.png")
    (tmp_path / "classes.txt").write_text("".join(f"{i} {n}\n" for i, n in enumerate([*names, "white"])))
    options = {"truth": tmp_path / "truth", "class_list": tmp_path / "classes.txt", "bootstrap": 0}
    row = evaluate([tmp_path / "found"], ignore_class="4", **options)["rows"][0]
    iou = row["classes"]["iou"]
    assert list(iou) == [*names, "white"]
    assert [iou[n] for n in names] == [3 / 4, 3 / 5, 2 / 3, None]  # the last occurs nowhere that counts
    assert iou["white"] is None
    assert row["pixel_accuracy"] == 8 / 10
    assert row["mean_accuracy"] == pytest.approx((3 / 4 + 3 / 4 + 2 / 2) / 3)
    assert row["miou"] == pytest.approx((3 / 4 + 3 / 5 + 2 / 3) / 3)
    assert row["fwiou"] == pytest.approx(0.4 * 3 / 4 + 0.4 * 3 / 5 + 0.2 * 2 / 3)
