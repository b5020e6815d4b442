"""Every format gives back the masks, classes, ids and names that it was given."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.messages import Heard
from tests.stages.selections import CLASSES, NAMES, OBJECTS, SIZES, objects_of, write_selection
from wsstool import store
from wsstool.data.boxes.table import read_boxes
from wsstool.data.dataset import open_dataset
from wsstool.data.formats import voc_png, yolo
from wsstool.data.geometry.instances import AnnotatedImage, Instance
from wsstool.data.geometry.shapes import shape_mask
from wsstool.errors import BadInputError, SomeFailedError, UsageError
from wsstool.stages.exchange.export import export
from wsstool.stages.exchange.import_masks import import_masks
from wsstool.types import ClassList

coco_mask = pytest.importorskip("pycocotools.mask")
COCO = pytest.importorskip("pycocotools.coco").COCO

BOTH_SHAPES = ["mask", "polygon"]


def below_images(found):
    return {(name.removeprefix("images/"), number): one for (name, number), one in found.items()}


@pytest.mark.parametrize("shape", BOTH_SHAPES)
@pytest.mark.parametrize("format", ["coco", "cvat", "label-studio"])
@pytest.mark.parametrize("with_pictures", [False, True])
def test_round_trip(tmp_path, selection, pictures, format, shape, with_pictures):
    out = tmp_path / "out"
    found = export(selection, output=out, format=format, settings=[f"shape={shape}"])
    assert found == {"output": str(out), "format": format, "written": len(OBJECTS), "failed": 0}
    images = pictures if with_pictures else None
    import_masks(out, output=tmp_path / "back.h5", images=images)
    before, after = objects_of(selection), objects_of(tmp_path / "back.h5")
    if not with_pictures:
        before = below_images(before)
    assert before.keys() == after.keys()
    for key, (label, score, box, mask) in before.items():
        assert after[key][0] == label and after[key][1] == pytest.approx(score, abs=1e-6)
        assert np.array_equal(after[key][3], mask)
        if format == "coco":
            assert after[key][2] == pytest.approx(box, abs=1e-4)


@pytest.mark.parametrize("shape", BOTH_SHAPES)
def test_coco_files_are_read_by_coco(tmp_path, selection, shape):
    export(selection, output=tmp_path / "truth.json", settings=[f"shape={shape}"])
    settings = [f"shape={shape}"]
    export(selection, output=tmp_path / "results.json", format="coco-results", settings=settings)
    truth = COCO(tmp_path / "truth.json")
    assert [c["name"] for c in truth.loadCats(truth.getCatIds())] == list(CLASSES.names[1:])
    masks = {(truth.imgs[a["image_id"]]["file_name"], i): truth.annToMask(a) for i, a in truth.anns.items()}
    for key, (_, _, box, mask) in below_images(objects_of(selection)).items():
        assert np.array_equal(masks[key], mask)
        x, y, w, h = truth.anns[key[1]]["bbox"]
        assert [x, y, x + w, y + h] == pytest.approx(box, abs=1e-4)
        assert truth.anns[key[1]]["area"] == mask.sum()
    results = truth.loadRes(str(tmp_path / "results.json"))
    assert sorted(a["score"] for a in results.anns.values()) == [0.123, 0.223, 0.323, 0.423, 0.523, 0.623]


def test_results_take_the_ids_of_the_truth(tmp_path, selection):
    like = tmp_path / "truth.json"
    names = [name.removeprefix("images/") for name in reversed(NAMES)]
    images = [{"id": 100 + k, "file_name": n, "height": s[0], "width": s[1]}
              for k, (n, s) in enumerate(zip(names, reversed(SIZES), strict=True))]  # fmt: skip
    categories = [{"id": 90 - k, "name": n} for k, n in enumerate(CLASSES.names[1:])]
    like.write_text(json.dumps({"images": images, "categories": categories, "annotations": []}))
    export(selection, output=tmp_path / "r.json", format="coco-results", like=like)
    results = json.loads((tmp_path / "r.json").read_text())
    assert {r["image_id"] for r in results} == {100, 102} and {r["category_id"] for r in results} == {
        90,
        89,
        88,
    }
    import_masks(tmp_path / "r.json", output=tmp_path / "back.h5", like=like)
    before = sorted((k[0], v[0], v[3].tobytes()) for k, v in below_images(objects_of(selection)).items())
    after = sorted((k[0], v[0], v[3].tobytes()) for k, v in objects_of(tmp_path / "back.h5").items())
    assert before == after
    with pytest.raises(BadInputError, match=r"use 'wsstool import --like'"):
        import_masks(tmp_path / "r.json", output=tmp_path / "none.h5")
    like.write_text(json.dumps({"images": images[1:], "categories": categories, "annotations": []}))
    with pytest.raises(BadInputError, match=r"has no image '犬 & größe/eins\.png'"):
        export(selection, output=tmp_path / "r2.json", format="coco-results", like=like)
    with pytest.raises(UsageError, match="--like is for the COCO formats"):
        export(selection, output=tmp_path / "r3.xml", format="cvat", like=like)


def test_ids_that_occur_twice_are_numbered_anew(tmp_path):
    selection = write_selection(tmp_path / "twice.h5", ids=(1, 2, 3, 4, 1, 2))
    export(selection, output=tmp_path / "o.json")
    numbers = [a["id"] for a in json.loads((tmp_path / "o.json").read_text())["annotations"]]
    assert numbers == [1, 2, 3, 4, 5, 6]


def test_yolo_polygons_give_the_masks_back(tmp_path, selection):
    export(selection, output=tmp_path / "yolo", format="yolo")
    assert (tmp_path / "yolo/labels/a/zwei drei.txt").read_text() == ""
    written = yolo.read_boxes(tmp_path / "yolo" / "labels")
    assert written.classes.names == CLASSES.names
    sizes = {
        name.removeprefix("images/").rpartition(".")[0]: size for name, size in zip(NAMES, SIZES, strict=True)
    }
    found = []
    for row in written.rows:
        size = sizes[row.image]
        pixels = (np.reshape(row.shape, (-1, 2)) * (size[1], size[0])).reshape(1, -1)
        found.append((row.image, row.name, shape_mask(pixels.tolist(), size).tobytes()))
    assert sorted(found) == sorted(
        (name.removeprefix("images/").rpartition(".")[0], label, mask.astype(bool).tobytes())
        for (name, _), (label, _, _, mask) in objects_of(selection).items()
    )


def test_voc_pictures_hold_objects_and_classes(tmp_path):
    selection = write_selection(tmp_path / "s.h5", unsure=True)
    export(selection, output=tmp_path / "voc", format="voc")
    objects = np.asarray(Image.open(tmp_path / "voc/SegmentationObject/a/eins.png"))
    labels = np.asarray(Image.open(tmp_path / "voc/SegmentationClass/a/eins.png"))
    masks = [one[3] for (name, _), one in objects_of(selection).items() if name == NAMES[0]]
    want = np.zeros(SIZES[0], int)
    for k, mask in enumerate(masks, 1):  # scores rise with k: later ones lie on top
        want[(mask == 255) & (want == 0)] = 255
        want[mask == 1] = k
    assert np.array_equal(objects, want) and objects[5, 8] == 255
    assert np.array_equal(labels, np.array([0, 1, 2, 3, 1, *[0] * 250, 255])[want])
    lines = (tmp_path / "voc/labelmap.txt").read_text("utf-8").splitlines()
    assert lines[:3] == ["# label:color_rgb:parts:actions", "background:0,0,0::", "traffic light:128,0,0::"]
    listed = (tmp_path / "voc/ImageSets/Segmentation/default.txt").read_text("utf-8").splitlines()
    assert listed == ["a/eins", "a/zwei drei", "犬 & größe/eins"]
    assert not np.asarray(Image.open(tmp_path / "voc/SegmentationObject/a/zwei drei.png")).any()


def test_masks_that_are_left_out_are_said(tmp_path):
    heard = Heard()
    selection = write_selection(tmp_path / "s.h5", unsure=True, empty=True)
    found = export(selection, output=tmp_path / "o.xml", format="cvat", score_threshold=0.2, messages=heard)
    assert found["written"] == 4
    assert heard.warned == ["left out 1 empty masks"]
    assert heard.said == [
        "left out 1 masks with a score below 0.2",
        "1 masks contain ignored pixels, which cvat cannot represent; they are left out of the masks",
    ]
    with pytest.raises(UsageError, match="--score-threshold"):
        export(selection, output=tmp_path / "p.xml", format="cvat", score_threshold=2)


def test_images_that_failed_are_listed_and_empty(tmp_path):
    selection = write_selection(tmp_path / "s.h5", fail=0)
    with pytest.raises(SomeFailedError, match="1 of 3"):
        export(selection, output=tmp_path / "o.json")
    data = json.loads((tmp_path / "o.json").read_text())
    assert len(data["images"]) == 3 and len(data["annotations"]) == 2


def test_more_objects_than_eight_bits_hold(tmp_path):
    instances = tuple(
        Instance.of("c", np.ones((1, 1)), (k, 0, k + 1, 1), k, (k, 0, k + 1, 1)) for k in range(300)
    )
    voc_png.write([AnnotatedImage("a.png", (1, 300), instances)], tmp_path / "v", ClassList(("b", "c"), 0))
    assert np.asarray(Image.open(tmp_path / "v/SegmentationObject/a.png")).tolist() == [list(range(1, 301))]


def test_boxes_beside_the_masks_for_cvat(tmp_path, selection):
    export(selection, output=tmp_path / "o.xml", format="cvat", settings=["boxes=yes"])
    text = (tmp_path / "o.xml").read_text()
    assert text.count("<box ") == text.count("<mask ") == len(OBJECTS)
    assert 'xtl="1.1" ytl="2.1" xbr="5.9" ybr="6.9"' in text


@pytest.mark.parametrize("format", ["cvat", "label-studio"])
def test_boxes_alone_are_boxes_again(tmp_path, selection, pictures, format):
    out = tmp_path / "out"
    export(selection, output=out, format=format, settings=["shape=box"])
    table = read_boxes(open_dataset(pictures, boxes=out), out)
    names = CLASSES.names[1:]  # Label Studio's file has no list of them
    assert table.classes.names[1:] == (names if format == "cvat" else tuple(sorted(names)))
    found = {
        (NAMES[i], number): box
        for i in range(3)
        for number, box in zip(table.of(i).ids.tolist(), table.of(i).xyxy.tolist(), strict=True)
    }
    for key, (_, _, box, _) in objects_of(selection).items():
        if key[1] != 3:  # less than a pixel
            assert found[key] == pytest.approx(box, abs=1e-5)
    assert len(found) == len(OBJECTS) - 1 and table.dropped == {"a pixel or less": 1}


def test_an_import_can_be_replayed_and_is_up_to_date(tmp_path, selection, pictures):
    export(selection, output=tmp_path / "o.json")
    back, heard = tmp_path / "back.h5", Heard()
    import_masks(tmp_path / "o.json", output=back, images=pictures)
    whole = back.read_bytes()
    import_masks(tmp_path / "o.json", output=back, images=pictures, messages=heard)
    assert "is up to date" in heard.said[-1] and back.read_bytes() == whole
    with store.open_records(back) as reader:
        command = reader.header.provenance[-1]["command"]
    assert command.startswith(f"wsstool import {tmp_path / 'o.json'} --images {pictures} -o ")


def test_a_zip_is_read_as_what_it_holds(tmp_path, selection):
    export(selection, output=tmp_path / "annotations.xml", format="cvat")
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as packed:
        packed.write(tmp_path / "annotations.xml", "annotations.xml")
        packed.writestr("images/a.jpg", b"")
    found = import_masks(tmp_path / "task.zip", output=tmp_path / "back.h5")
    assert found["masks"] == len(OBJECTS)
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as packed:
        packed.writestr("a.xml", b"<a/>")
        packed.writestr("b.json", b"{}")
    with pytest.raises(BadInputError, match="unpack it"):
        import_masks(tmp_path / "two.zip", output=tmp_path / "none.h5")


def test_label_studio_annotations_are_read_without_a_word(tmp_path, selection):
    heard = Heard()
    export(selection, output=tmp_path / "p.json", format="label-studio")
    import_masks(tmp_path / "p.json", output=tmp_path / "p.h5", messages=heard)
    assert any("3 tasks" in text and "using their first predictions" in text for text in heard.warned)
    assert any("1 images without size and objects" in text for text in heard.warned)
    heard = Heard()
    export(selection, output=tmp_path / "a.json", format="label-studio", settings=["place=annotations"])
    import_masks(tmp_path / "a.json", output=tmp_path / "a.h5", messages=heard)
    assert not any("prediction" in text for text in heard.warned)
    brushes = [r for task in json.loads((tmp_path / "a.json").read_text()) for a in task["annotations"]
               for r in a["result"]]  # fmt: skip
    assert len({r["id"] for r in brushes}) == len(OBJECTS)


def test_masks_of_a_generator_without_boxes_or_names(tmp_path):
    """As SAM and its like write them: run lengths of whole images, no box, no category."""
    mask = np.zeros((20, 30), np.uint8)
    mask[3:9, 4:11] = 1
    packed = coco_mask.encode(np.asfortranarray(mask))
    row = {
        "image_id": 5,
        "segmentation": {"size": [20, 30], "counts": packed["counts"].decode()},
        "score": 0.75,
    }
    data = {"images": [{"id": 5, "file_name": "a.png", "height": 20, "width": 30}], "annotations": [row]}
    (tmp_path / "m.json").write_text(json.dumps(data))
    import_masks(tmp_path / "m.json", output=tmp_path / "m.h5")
    ((name, score, box, back),) = objects_of(tmp_path / "m.h5").values()
    assert (name, score, box) == ("object", 0.75, [4, 3, 11, 9]) and np.array_equal(back, mask)
