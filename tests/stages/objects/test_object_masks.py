"""Masks of boxes further down: scored, merged into label maps, shown."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.stages.object_sets import SIZE, truth_of, write_maps, write_objects, write_proposals
from wsstool import store
from wsstool.errors import BadInputError, BelowThresholdError, MissingInputError, SomeFailedError, UsageError
from wsstool.masks.instances import merge_instances
from wsstool.stages.objects.select import select
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask
from wsstool.stages.report.report import report
from wsstool.stages.scoring.evaluate import evaluate
from wsstool.stages.scoring.label_maps import LABEL_MAPS
from wsstool.stages.scoring.score_file import read_counts


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_objects(tmp_path_factory.mktemp("objects") / "data")


@pytest.fixture(scope="module")
def files(root):
    folder = root.parent
    maps = write_maps(folder / "c.h5", root)
    for method in ("prior", "ellipse", "box"):
        select(None, contour=str(maps), method=method, output=folder / f"{method}.h5")
    return {name: folder / f"{name}.h5" for name in ("c", "prior", "ellipse", "box")}


def groups(folder):
    rows = "".join(f"p{i}.png,{i % 2}\n" for i in range(5))
    (folder / "meta.csv").write_text("image,patient\n" + rows)
    return f"{folder / 'meta.csv'}:patient"


class TestEval:
    def test_perfect_masks_score_one(self, files):
        (row,) = evaluate([files["prior"]])["rows"]
        assert row["scored"] == 7 and row["instance_miou"] == row["boundary_f"] == row["box_fit"] == 1
        assert row["classes"]["objects"] == {"background": 0, "disc": 4 - 1, "block": 4}
        assert row["blind"]["box"] < 1

    def test_boundaries_relative_to_the_object(self, files, tmp_path):
        whole = evaluate([files["ellipse"]], output=tmp_path / "image.json")
        by_object = {"boundary_of": "object", "boundary_ratio": 0.1}
        other = evaluate([files["ellipse"]], **by_object, output=tmp_path / "object.json")
        assert whole["boundary"] == "2 % of the diagonal of the image, at least one pixel"
        assert other["boundary"] == "10 % of the diagonal of the object, at least one pixel"
        assert other["rows"][0]["instance_miou"] == whole["rows"][0]["instance_miou"]
        assert other["rows"][0]["boundary_iou"] > whole["rows"][0]["boundary_iou"]
        again = evaluate([tmp_path / "object.json"])
        assert again["boundary"] == other["boundary"]
        assert again["rows"][0]["boundary_iou"] == other["rows"][0]["boundary_iou"]
        for name, more in (("p0", by_object), ("p1", {})):
            (tmp_path / f"{name}.txt").write_text(f"{name}.png\n")
            evaluate(
                [files["ellipse"]],
                split=str(tmp_path / f"{name}.txt"),
                **more,
                output=tmp_path / f"{name}.json",
            )
        with pytest.raises(BadInputError, match="has boundaries of another width than"):
            evaluate([tmp_path / "p0.json", tmp_path / "p1.json"])
        with pytest.raises(UsageError, match="--boundary-of needs masks of boxes"):
            evaluate([tmp_path / "object.json"], boundary_of="object")

    def test_the_blind_rows_are_the_baselines(self, files):
        (row,) = evaluate([files["ellipse"]])["rows"]
        assert row["instance_miou"] == pytest.approx(row["blind"]["ellipse"])
        (row,) = evaluate([files["box"]])["rows"]
        assert row["instance_miou"] == pytest.approx(row["blind"]["box"])

    def test_without_truth_only_the_boxes_are_compared(self, files, root, tmp_path):
        content = json.loads((root / "boxes.json").read_text())
        for one in content["annotations"]:
            del one["segmentation"]
        (tmp_path / "bare.json").write_text(json.dumps(content))
        (row,) = evaluate([files["ellipse"]], truth=tmp_path / "bare.json")["rows"]
        assert row["scored"] == 0 and row["instance_miou"] is None
        assert row["box_fit"] == 1 and 0.7 < row["coverage"] < 0.9

    def test_a_split_and_small_objects(self, files, tmp_path):
        (tmp_path / "two.txt").write_text("p0\np3\n")
        assert evaluate([files["prior"]], split=str(tmp_path / "two.txt"))["rows"][0]["objects"] == 2
        assert evaluate([files["prior"]], min_area=10**6)["rows"][0]["scored"] == 0

    def test_average_precision(self, files):
        assert evaluate([files["prior"]], ap=True)["rows"][0]["ap"]["ap"] == pytest.approx(1)

    def test_average_precision_by_the_names_of_the_classes(self, files, root, tmp_path):
        content = json.loads((root / "boxes.json").read_text())
        swap = {1: 2, 2: 1}
        for one in content["categories"]:
            one["id"] = swap[one["id"]]
        for one in content["annotations"]:
            one["category_id"] = swap[one["category_id"]]
        (tmp_path / "swapped.json").write_text(json.dumps(content))
        expected = evaluate([files["ellipse"]], ap=True)["rows"]
        assert evaluate([files["ellipse"]], ap=True, truth=tmp_path / "swapped.json")["rows"] == expected
        content["categories"][0]["name"] = "ring"
        (tmp_path / "renamed.json").write_text(json.dumps(content))
        with pytest.raises(BadInputError, match="cannot be matched by name: background, disc, block; and"):
            evaluate([files["ellipse"]], ap=True, truth=tmp_path / "renamed.json")
        assert evaluate([files["ellipse"]], truth=tmp_path / "renamed.json")["rows"][0]["scored"]

    def test_a_file_with_every_object(self, files, tmp_path):
        evaluate([files["ellipse"]], output=tmp_path / "s.json")
        rows = json.loads((tmp_path / "s.json").read_text())["objects"]
        assert len(rows["iou"]) == 7 and set(rows["class_id"]) == {1, 2}

    def test_parts_are_counted_as_one(self, root, files, tmp_path):
        whole = evaluate([files["ellipse"]], min_area=300, output=tmp_path / "all.json")
        names = []
        for name, part in (("a", (0, 3, 4)), ("b", (1, 2))):
            maps = write_maps(tmp_path / f"{name}-c.h5", root, part)
            select(None, contour=str(maps), method="ellipse", output=tmp_path / f"{name}.h5")
            evaluate([tmp_path / f"{name}.h5"], output=tmp_path / f"{name}.json")
            names.append(tmp_path / f"{name}.json")
        merged = evaluate(names, min_area=300, output=tmp_path / "again.json")
        assert {**merged, "source": "ellipse.h5"} == whole
        assert evaluate([tmp_path / "again.json"], min_area=300) == merged
        (grouped,) = evaluate(names, group=str(groups(tmp_path)))["rows"]
        assert grouped["interval"]["units"] == 2
        with pytest.raises(BadInputError, match=r"scores image 'images/p1.png' again"):
            evaluate([tmp_path / "all.json", names[1]])
        with pytest.raises(BelowThresholdError, match="instance-miou"):
            evaluate(names, fail_under="0.999")
        for options, says in (
            ({"ap": True}, "--ap"),
            ({"split": "x"}, "--split"),
            ({"against": 1}, "against"),
        ):
            with pytest.raises(UsageError, match=says):
                evaluate(names, **options)

    def test_parts_with_average_precision(self, root, files, tmp_path):
        for name, part in (("a", (0, 3, 4)), ("b", (1, 2))):
            maps = write_maps(tmp_path / f"{name}-c.h5", root, part)
            select(None, contour=str(maps), method="ellipse", output=tmp_path / f"{name}.h5")
            evaluate([tmp_path / f"{name}.h5"], ap=True, output=tmp_path / f"{name}.json")
        merged = evaluate([tmp_path / "a.json", tmp_path / "b.json"], ap=True)
        assert merged["rows"] == evaluate([files["ellipse"]], ap=True)["rows"]
        evaluate([tmp_path / "b.h5"], output=tmp_path / "b.json")
        with pytest.raises(BadInputError, match="the use of --ap"):
            evaluate([tmp_path / "a.json", tmp_path / "b.json"])

    def test_parts_of_proposals_are_counted_as_one(self, root, tmp_path):
        whole = write_proposals(tmp_path / "p.h5", root)
        parts = []
        for names in ("p1\np3", "p0\np2\np4"):
            (tmp_path / "names.txt").write_text(names + "\n")
            parts.append(tmp_path / f"{len(parts)}.json")
            evaluate([whole], split=str(tmp_path / "names.txt"), output=parts[-1])
        merged = evaluate(parts)
        assert merged == evaluate([whole]) and "7 objects of 2 classes in 4 images" in merged["annotated"]
        with pytest.raises(BadInputError, match="again"):
            evaluate([parts[0], parts[0]])
        with pytest.raises(UsageError, match="--ap does not apply to proposals"):
            evaluate(parts, ap=True)

    def test_score_files_of_two_kinds_or_damaged(self, root, files, tmp_path):
        evaluate([files["ellipse"]], output=tmp_path / "a.json")
        evaluate([write_proposals(tmp_path / "p.h5", root)], output=tmp_path / "b.json")
        with pytest.raises(
            BadInputError, match=r"b.json' scores proposals, but '.*a.json' scores masks of boxes"
        ):
            evaluate([tmp_path / "a.json", tmp_path / "b.json"])
        with pytest.raises(BadInputError, match="does not contain scores of label maps"):
            read_counts(tmp_path / "a.json", LABEL_MAPS)
        content = json.loads((tmp_path / "a.json").read_text())
        del content["crc32"]  # as in version 1
        for broken in (
            {"objects": {}},
            {"scored_images": []},
            {"objects": {**content["objects"], "class_id": [9] * 7}},
            {"kind": "x"},
        ):
            (tmp_path / "c.json").write_text(json.dumps({**content, **broken, "wsstool_scores": 1}))
            with pytest.raises(BadInputError, match=r"c.json' is not a score file"):
                evaluate([tmp_path / "c.json"])

    @pytest.mark.parametrize(
        ("options", "error", "says"),
        [
            ({"fail_under": "0.99"}, BelowThresholdError, "instance-miou"),
            ({"fail_under": "boundary-f=0.999"}, BelowThresholdError, "boundary-f"),
            ({"fail_under": "abo=0.5"}, UsageError, "instance-miou"),
            ({"sweep": True}, UsageError, "--sweep"),
            ({"min_area": -1}, UsageError, "--min-area"),
        ],
        ids=str,
    )
    def test_what_does_not_hold(self, files, options, error, says):
        with pytest.raises(error, match=says):
            evaluate([files["ellipse"]], **options)

    def test_truth_that_is_numbered_otherwise_is_refused(self, files, root, tmp_path):
        content = json.loads((root / "boxes.json").read_text())
        rows = content["annotations"]
        for one, k in zip(rows, np.roll([one["id"] for one in rows], 1).tolist(), strict=True):
            one["id"] = k
        (tmp_path / "other.json").write_text(json.dumps(content))
        with pytest.raises(BadInputError, match="numbered differently"):
            evaluate([files["ellipse"]], truth=tmp_path / "other.json")

    def test_a_truth_that_is_not_there(self, files, tmp_path):
        with pytest.raises(MissingInputError):
            evaluate([files["ellipse"]], truth=tmp_path)


class TestPseudoMask:
    def test_label_maps_of_perfect_masks_are_the_truth(self, files, root, tmp_path):
        pseudo_mask(str(files["prior"]), output=tmp_path / "m.h5")
        records = store.open_random(tmp_path / "m.h5")
        for record in (records[i] for i in range(5)):
            truth = np.zeros(SIZE, np.uint8)
            for class_id, mask in truth_of(record.index):
                truth[mask] = class_id
            np.testing.assert_array_equal(record.data[0], truth)
        assert records.header.labels.tolist()[2:4] == [[0, 0, 1], [0, 0, 0]]

    def test_weak_objects_take_no_part(self, files, tmp_path):
        found = pseudo_mask(str(files["prior"]), output=tmp_path / "m.h5", min_score=1.0)
        assert found["weak"] == 7
        labels = store.open_random(tmp_path / "m.h5")[0].data[0]
        assert set(np.unique(labels)) == {0, 255}

    def test_failed_images_stay_failed(self, root, tmp_path):
        maps = write_maps(tmp_path / "c.h5", root, failed=(0,))
        with pytest.raises(SomeFailedError):
            select(None, contour=str(maps), method="prior", output=tmp_path / "s.h5")
        with pytest.raises(SomeFailedError, match="p0"):
            pseudo_mask(str(tmp_path / "s.h5"), output=tmp_path / "m.h5")

    @pytest.mark.parametrize("options", [{"rule": "threshold"}, {"refine": "crf"}, {"layer": ["a"]}], ids=str)
    def test_options_of_class_maps_are_refused(self, files, tmp_path, options):
        with pytest.raises(UsageError, match="class maps"):
            pseudo_mask(str(files["prior"]), output=tmp_path / "m.h5", **options)


class TestMerge:
    def merge(self, *objects, **options):
        """Label map of a row of six pixels; an object is (class, score, start, mask)."""
        windows = [(start, 0, start + len(mask), 1) for _, _, start, mask in objects]
        masks = [np.array([mask], np.uint8) for _, _, _, mask in objects]
        ids, scores = [o[0] for o in objects], [o[1] for o in objects]
        return merge_instances((1, 6), windows, masks, ids, scores, windows, **options)[0].tolist()

    def test_classes_that_disagree(self):
        two = ((1, 0.4, 0, [1, 1, 1]), (2, 0.9, 2, [1, 1]))
        assert self.merge(*two) == [1, 1, 255, 2, 0, 0]
        assert self.merge(*two, overlap="score") == [1, 1, 2, 2, 0, 0]
        assert self.merge(*two[::-1], overlap="score") == [1, 1, 2, 2, 0, 0]

    def test_unsure_pixels(self):
        assert self.merge((1, 0.5, 0, [1, 255]), (1, 0.5, 1, [1, 0])) == [1, 1, 0, 0, 0, 0]
        assert self.merge((1, 0.5, 0, [1, 255]), (2, 0.5, 1, [1, 0])) == [1, 255, 0, 0, 0, 0]
        assert self.merge((1, 0.5, 0, [1, 255])) == [1, 255, 0, 0, 0, 0]

    def test_weak_boxes_do_not_hide_strong_objects(self):
        found = self.merge((1, 0.2, 0, [1, 0, 1]), (2, 0.9, 2, [1, 1]), min_score=0.5)
        assert found == [255, 255, 2, 2, 0, 0]

    def test_values_outside_their_range(self):
        for options in ({"overlap": "x"}, {"min_score": 2.0}, {"min_score": float("nan")}):
            with pytest.raises(UsageError):
                self.merge(**options)


def test_a_contact_sheet(files, root, tmp_path):
    found = report(
        [f"map={files['c']}", f"drawn={files['ellipse']}"], output=tmp_path / "r.html", images=root
    )
    page = (tmp_path / "r.html").read_text()
    assert found["bytes"] > 10_000
    assert page.count("data:image/jpeg") == 7 * 5  # image, map, mask, truth, errors
    assert "Masks, worst first" in page and "IoU 0." in page and "map" in page


def test_strips_of_masks_are_pictures_under_captions(files, root, tmp_path):
    report([str(files["ellipse"])], output=tmp_path / "r.html", strips=tmp_path / "s", samples=1)
    names = sorted(path.name for path in (tmp_path / "s").iterdir())
    assert len(names) == 7 and all(n.startswith(f"ellipse-masks-{k:03d}-p") for k, n in enumerate(names))
    picture = np.asarray(Image.open(tmp_path / "s" / names[0]))
    assert picture.shape[0] > 200 and picture.shape[1] > 400 and np.ptp(picture) > 100
