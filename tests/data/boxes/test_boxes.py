"""Boxes of every format, and what is wrong with them."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.data.boxes.box_files import XYXY, boxes_of, coco_file, pictures, xywh
from tests.data.folders import write
from tests.messages import Heard
from wsstool.data.boxes.table import read_boxes
from wsstool.data.dataset import open_dataset
from wsstool.data.geometry import rle
from wsstool.data.geometry.shapes import polygon_mask, shape_mask
from wsstool.errors import BadInputError, MissingInputError, UsageError


@pytest.fixture
def folder(tmp_path):
    return pictures(tmp_path)


class TestLayouts:
    def test_coco(self, folder):
        coco_file(folder / "boxes.json", [{"bbox": xywh(b)} for b in XYXY])
        table = read_boxes(open_dataset(folder))
        found = table.of(0)
        assert found.xyxy.tolist() == XYXY and found.xyxy.dtype == np.float32
        assert found.ids.tolist() == [100, 101, 102]
        assert [table.classes.names[i] for i in found.class_ids] == ["cat"] * 3
        assert table.dropped == {} and not table.has_truth

    def test_voc_counts_from_one(self, folder):
        boxes = "".join(
            f"<object><name>cat</name><bndbox><xmin>{a + 1}</xmin><ymin>{b + 1}</ymin><xmax>{c}</xmax>"
            f"<ymax>{d}</ymax></bndbox></object>"
            for a, b, c, d in XYXY
        )
        write(folder / "Annotations" / "a.xml", f"<annotation>{boxes}</annotation>")
        dataset = open_dataset(folder, labels="images")
        assert read_boxes(dataset, folder / "Annotations").of(0).xyxy.tolist() == XYXY

    def test_voc_of_a_program_that_counts_from_zero(self, folder):
        text = (
            "<annotation><object><name>cat</name><bndbox><xmin>0</xmin><ymin>3</ymin><xmax>9</xmax>"
            "<ymax>8</ymax></bndbox></object></annotation>"
        )
        write(folder / "Annotations" / "b.xml", text)
        dataset = open_dataset(folder, labels="images")
        assert read_boxes(dataset, "Annotations").of(1).xyxy.tolist() == [[0, 3, 9, 8]]

    @pytest.mark.parametrize("names", ["classes.txt", "data.yaml", None])
    def test_yolo(self, folder, names):
        lines = [f"1 {(a + c) / 100} {(b + d) / 60} {(c - a) / 50} {(d - b) / 30}" for a, b, c, d in XYXY]
        write(folder / "labels" / "a.txt", "\n".join(lines))
        if names:
            write(folder / names, "names: [cat, dog]" if names == "data.yaml" else "cat\ndog\n")
        table = read_boxes(open_dataset(folder))
        np.testing.assert_allclose(table.of(0).xyxy, XYXY, atol=1e-4)
        spelled = {table.classes.names[i] for i in table.of(0).class_ids}
        assert spelled == {"dog" if names else "class-1"}

    def test_yolo_polygon_is_box_and_truth(self, folder):
        write(folder / "labels" / "a.txt", "0 .2 .1 .6 .1 .6 .5 .2 .5")
        table = read_boxes(open_dataset(folder))
        assert table.of(0).xyxy.tolist() == [[10, 3, 30, 15]]
        (mask,) = table.truth(0)
        assert mask.sum() == 20 * 12 and mask[3:15, 10:30].all()

    def test_yolo_triangle(self, folder):
        write(folder / "labels" / "a.txt", "0 .2 .1 .6 .1 .6 .5")
        table = read_boxes(open_dataset(folder))
        assert table.of(0).xyxy.tolist() == [[10, 3, 30, 15]]
        (mask,) = table.truth(0)
        assert mask[4, 28] and not mask[13, 12]
        assert mask.sum() == pytest.approx(20 * 12 / 2, rel=0.1)

    @pytest.mark.parametrize(("line", "numbers"), [("0 .2 .1 .6", 3), ("0 .2 .1 .6 .1 .6 .5 .2", 7)])
    def test_neither_a_yolo_box_nor_a_polygon(self, folder, line, numbers):
        write(folder / "labels" / "a.txt", line)
        with pytest.raises(BadInputError, match=f"{numbers} numbers after the class"):
            read_boxes(open_dataset(folder))

    @pytest.mark.parametrize(
        ("written", "read"),
        [
            (0, 0),
            (0.0, 0),
            (0.25, 0.25),
            (1, 1),
            (-0.1, 1),
            (1.01, 1),
            ("0.5", 1),
            (None, 1),
            (float("nan"), 1),
        ],
    )
    def test_scores_of_coco(self, folder, written, read):
        """What is not a number from 0 to 1 counts as sure."""
        table = boxes_of(folder, [{"bbox": [1, 1, 5, 5], "score": written}])
        assert table.scores[0].tolist() == [read]

    def test_files_of_the_splits_are_one(self, folder):
        coco_file(folder / "instances_train.json", [{"bbox": [1, 1, 5, 5]}])
        data = json.loads((folder / "instances_train.json").read_text())
        data["images"][0]["file_name"] = "b.png"
        write(folder / "instances_val.json", json.dumps(data))
        dataset = open_dataset(folder, labels="images")
        assert read_boxes(dataset).counts.tolist() == [1, 1]
        data["images"][0]["file_name"] = "a.png"
        write(folder / "instances_val.json", json.dumps(data))
        with pytest.raises(BadInputError, match=r"both list 'a.png'"):
            read_boxes(dataset)

    def test_no_categories_means_one_class(self, folder):
        coco_file(folder / "boxes.json", [{"bbox": [1, 1, 5, 5]}])
        data = json.loads((folder / "boxes.json").read_text())
        del data["categories"], data["annotations"][0]["category_id"]
        write(folder / "boxes.json", json.dumps(data))
        table = read_boxes(open_dataset(folder, labels="images"))
        assert table.classes.names == ("background", "object") and table.of(0).class_ids.tolist() == [1]

    def test_class_list_of_the_data_is_kept(self, folder):
        write(folder / "classes.txt", "0 background\n1 cow\n2 dog\n3 cat\n")
        assert boxes_of(folder, [{"bbox": [1, 1, 5, 5]}]).of(0).class_ids.tolist() == [3]

    def test_a_class_that_the_list_lacks_renumbers_nothing(self, folder):
        write(folder / "classes.txt", "0 background\n1 cow\n2 dog\n")
        said = Heard()
        boxes = [{"bbox": [1, 1, 5, 5]}, {"bbox": [1, 1, 5, 5], "category_id": 3}]
        with pytest.raises(BadInputError, match=r"class 'cat', which the class list lacks: cow, dog; .* has"):
            boxes_of(folder, boxes, messages=said)  # 'cow' might be another name of 'cat'
        write(folder / "classes.txt", "0 background\n1 dog\n")
        table = boxes_of(folder, boxes, messages=said)
        assert table.classes.names == ("background", "dog", "cat")
        assert table.of(0).class_ids.tolist() == [2, 1]
        assert any("the class list lacks 'cat', added at its end" in text for text in said.warned)


class TestWhichFile:
    def test_none_and_several(self, folder):
        dataset = open_dataset(folder)
        with pytest.raises(MissingInputError, match="no boxes in"):
            read_boxes(dataset)
        with pytest.raises(MissingInputError, match=r"no box file 'x.json'"):
            read_boxes(dataset, "x.json")
        coco_file(folder / "boxes.json", [])
        write(folder / "labels" / "a.txt", "0 .5 .5 .1 .1")
        with pytest.raises(UsageError, match=r"boxes.json, labels/; name one with --boxes"):
            read_boxes(dataset)
        assert read_boxes(dataset, "labels").counts.tolist() == [1, 0]

    @pytest.mark.parametrize(
        ("text", "match"),
        [("[]", "a list"), ("{", "not JSON"), ('{"images": []}', "'annotations' is missing")],
    )
    def test_not_coco(self, folder, text, match):
        write(folder / "boxes.json", text)
        with pytest.raises(BadInputError, match=match):
            read_boxes(open_dataset(folder, labels="images"))

    def test_images_that_are_not_there(self, folder):
        coco_file(folder / "boxes.json", [{"bbox": [1, 1, 5, 5], "image_id": k} for k in (0, 2, 2)], images=3)
        said = Heard()
        table = read_boxes(open_dataset(folder, labels="images"), messages=said)
        assert table.dropped == {"its image is not there": 2} and table.counts.tolist() == [1, 0]
        assert "'c.png', with 2 boxes" in said.warned[0]

    def test_boxes_of_other_images_only(self, folder):
        coco_file(folder / "boxes.json", [{"bbox": [1, 1, 5, 5]}])
        text = (folder / "boxes.json").read_text().replace("a.png", "other.png")
        write(folder / "boxes.json", text)
        with pytest.raises(BadInputError, match="lists none of the 2 images"):
            read_boxes(open_dataset(folder, labels="images"))

    def test_boxes_for_another_size(self, folder):
        coco_file(folder / "boxes.json", [{"bbox": [1, 1, 5, 5]}], size=(60, 100))
        with pytest.raises(
            BadInputError, match=r"states 100 x 60 pixels for 'a\.png', but the image has 50 x 30"
        ):
            read_boxes(open_dataset(folder, labels="images"))

    @pytest.mark.parametrize("orientation", [1, 3, 5, 6, 7, 8])
    @pytest.mark.parametrize("ending", ["jpg", "tif"])
    def test_boxes_for_the_pixels_of_a_picture_that_is_turned(self, tmp_path, orientation, ending):
        (tmp_path / "images").mkdir()
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.new("RGB", (50, 30)).save(tmp_path / "images" / f"a.{ending}", exif=exif)
        stored, is_turned = (30, 50), orientation >= 5
        dataset = open_dataset(tmp_path, labels="images")
        for size in (stored, stored[::-1]):
            coco_file(tmp_path / "boxes.json", [{"bbox": [1, 1, 5, 5]}], size=size)
            text = (tmp_path / "boxes.json").read_text().replace("a.png", f"a.{ending}")
            write(tmp_path / "boxes.json", text)
            if (size == stored) is not is_turned:
                assert read_boxes(dataset, "boxes.json").counts.tolist() == [1]
                continue
            with pytest.raises(BadInputError, match=r"has [35]0 x [35]0") as error:
                read_boxes(dataset, "boxes.json")
            assert ("when it is turned upright as its EXIF orientation says" in str(error.value)) is is_turned

    def test_the_boxes_of_a_split(self, folder):
        coco_file(folder / "boxes.json", [{"bbox": [1, 1, 5, 5], "image_id": k} for k in (0, 1, 1)], images=2)
        write(folder / "splits" / "val.txt", "b\n")
        table = read_boxes(open_dataset(folder, split="val", labels="images"))
        assert table.counts.tolist() == [2] and table.dropped == {}


class TestBadBoxes:
    @pytest.mark.parametrize(
        ("annotation", "reason"),
        [
            ({"bbox": [5, 5, 0, 9]}, "no width or height"),
            ({"bbox": [5, 5, 9, -2]}, "no width or height"),
            ({"bbox": [5, 5, 1, 1]}, "a pixel or less"),
            ({"bbox": [60, 5, 9, 9]}, "outside the image"),
            ({"bbox": [-9, 5, 9, 9]}, "outside the image"),
            ({"bbox": [float("nan"), 5, 9, 9]}, "not four finite numbers"),
            ({"bbox": [5, 5, 9]}, "not four finite numbers"),
            ({"bbox": "none"}, "not four finite numbers"),
            ({}, "not four finite numbers"),
            ({"bbox": [5, 5, 9, 9], "iscrowd": 1}, "crowd region"),
        ],
    )
    def test_left_out_and_counted(self, folder, annotation, reason):
        said = Heard()
        good = [{"bbox": [2, 2, 9, 9]}] * 20
        table = boxes_of(folder, [*good, annotation], messages=said)
        assert table.dropped == {reason: 1} and table.counts.tolist() == [20, 0]
        assert len(said.warned) == 1 and f"({reason}: 1)" in said.warned[0]

    def test_every_box_has_a_number_of_its_own_whatever_is_looked_at(self, folder):
        rows = [{"bbox": xywh(b)} for b in XYXY] + [{"bbox": [1, 1, 5, 5], "image_id": 1} for _ in range(3)]
        for row, id_ in zip(rows, (4, None, 4, "x", 7, None), strict=True):
            row["id"] = id_
        coco_file(folder / "boxes.json", rows, images=2)
        dataset, said = open_dataset(folder, labels="images"), Heard()
        table = read_boxes(dataset, messages=said)
        assert [one.ids.tolist() for one in table.boxes] == [[4, 8, 9], [10, 7, 11]]
        assert any("1 annotations" in text and "repeat" in text for text in said.warned)
        assert read_boxes(dataset.subset([1])).of(0).ids.tolist() == [10, 7, 11]

    def test_no_usable_box_at_all_is_said(self, folder):
        said = Heard()
        assert not boxes_of(folder, [{"bbox": [1, 1, 5, 5], "iscrowd": 1}], messages=said).counts.any()
        assert any("no usable box for these 2 images" in text for text in said.warned)

    def test_a_box_that_is_missing_is_that_of_the_mask(self, folder):
        mask = np.zeros((30, 50), bool)
        mask[3:9, 4:20] = True
        said = Heard()
        rows = [{"segmentation": rle.encode(mask)}, {"bbox": [1, 1, 5, 5]}]
        table = boxes_of(folder, rows, messages=said)
        assert table.of(0).xyxy.tolist() == [[4, 3, 20, 9], [1, 1, 6, 6]]
        assert any("1 objects" in text and "their mask" in text for text in said.warned)

    def test_clipped(self, folder):
        said = Heard()
        table = boxes_of(folder, [{"bbox": [-5, -2, 20, 20]}, {"bbox": [2, 2, 9, 9]}], messages=said)
        assert table.of(0).xyxy.tolist() == [[0, 0, 15, 18], [2, 2, 11, 11]]
        assert table.clipped == 1 and "1 boxes" in said.said[-1]

    def test_many_boxes_and_one_that_fills_the_image(self, folder):
        rng = np.random.default_rng(0)
        many = [{"bbox": [*rng.uniform(0, 20, 2), *rng.uniform(3, 10, 2)]} for _ in range(500)]
        table = boxes_of(folder, [*many, {"bbox": [0, 0, 50, 30]}])
        assert table.counts.tolist() == [501, 0]
        assert table.of(0).xyxy[-1].tolist() == [0, 0, 50, 30]


class TestTruth:
    def test_run_lengths_and_polygons(self, folder):
        mask = np.zeros((30, 50), bool)
        mask[4:9, 10:30] = True
        counts = rle.encode(mask)
        shapes = [
            counts,
            {**counts, "counts": rle.pack(counts["counts"])},
            [counts, rle.encode(~mask)],
            [[10, 4, 30, 4, 30, 9, 10, 9]],
            None,
        ]
        table = boxes_of(folder, [{"bbox": [1, 1, 40, 20], "segmentation": s} for s in shapes])
        found = table.truth(0)
        assert found[4] is None and table.has_truth and table.truth(1) == []
        assert (found[0] == mask).all() and (found[1] == mask).all() and (found[3] == mask).all()
        assert found[2].all()

    @pytest.mark.parametrize(
        ("shape", "match"),
        [
            ({"size": [30, 50], "counts": [1]}, "do not fill"),
            ({"size": [3, 5], "counts": [15]}, "run lengths are for 5 x 3 pixels, but the image has 50 x 30"),
            ({"counts": "x"}, "cannot be read"),
            ([[1, 2, 3]], "not pairs"),
            ([[1, 2, 3, float("nan"), 4, 5]], "finite"),
            ("text", "neither"),
        ],
    )
    def test_unreadable_is_an_error_only_when_asked_for(self, folder, shape, match):
        table = boxes_of(folder, [{"bbox": [1, 1, 40, 20], "segmentation": shape}])
        assert table.counts.tolist() == [1, 0]
        with pytest.raises(BadInputError, match=match) as caught:
            table.truth(0)
        assert "annotation 100" in str(caught.value)

    def test_polygons_as_pycocotools(self):
        coco = pytest.importorskip("pycocotools.mask")
        rng = np.random.default_rng(3)
        for _ in range(5):
            angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
            radii = rng.uniform(30, 60, 9)
            points = np.stack([70 + radii * np.cos(angles), 65 + radii * np.sin(angles)], 1).reshape(-1)
            theirs = coco.decode(coco.frPyObjects([points.tolist()], 130, 140))[..., 0].astype(bool)
            ours = polygon_mask([points.tolist()], (130, 140))
            assert (ours & theirs).sum() / (ours | theirs).sum() > 0.97

    def test_too_few_corners_are_empty(self):
        assert not shape_mask([[1, 1, 4, 4]], (5, 5)).any()


@pytest.mark.data
@pytest.mark.parametrize(("name", "n"), [("pennfudan", 423), ("coco200", 1445)])
def test_real_sets(shared, name, n):
    dataset = open_dataset(shared / "data" / name)
    table = read_boxes(dataset)
    assert table.counts.sum() + sum(table.dropped.values()) == n
    assert table.classes == dataset.classes
    for i in range(0, len(dataset), 17):
        for box, mask in zip(table.of(i).xyxy, table.truth(i), strict=True):
            rows, columns = np.nonzero(mask)
            assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == box.tolist()


def test_a_damaged_zip_is_one_sentence(folder):
    import zipfile

    with zipfile.ZipFile(folder / "boxes.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("boxes.json", json.dumps(list(range(2000))))
    content = bytearray((folder / "boxes.zip").read_bytes())
    content[60:63] = bytes(255 - one for one in content[60:63])
    (folder / "boxes.zip").write_bytes(bytes(content))
    with pytest.raises(BadInputError, match=r"boxes\.zip' cannot be read"):
        read_boxes(open_dataset(folder, labels="images"), "boxes.zip")
