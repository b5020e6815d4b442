"""The layouts of other people's data sets, each as a small folder."""

import json

import numpy as np
import pytest

from tests.data.folders import mask, picture, write
from wsstool.data.dataset import open_dataset
from wsstool.data.formats import coco, voc
from wsstool.data.formats.tags.file_name import BCSS_CLASSES, LUAD_CLASSES
from wsstool.errors import BadInputError, MissingInputError, UsageError


def tags_of(data):
    """Names of the pictures -> names of their classes."""
    return {
        n: [data.classes.names[c] for c in np.flatnonzero(row)]
        for n, row in zip(data.names, data.labels, strict=True)
    }


class TestFolders:
    def test_class_folders(self, tmp_path):
        for name in ("dog/1.jpg", "cat/1.jpg", "cat/2.jpg"):
            picture(tmp_path / name)
        data = open_dataset(tmp_path)
        assert data.layout == "class-folders" and data.classes.names == ("background", "cat", "dog")
        assert tags_of(data) == {"cat/1.jpg": ["cat"], "cat/2.jpg": ["cat"], "dog/1.jpg": ["dog"]}

    def test_splits_above_the_classes_and_a_background(self, tmp_path):
        for name in ("train/cat/1.jpg", "train/background/2.jpg", "val/cat/1.jpg"):
            picture(tmp_path / "images" / name)
        data = open_dataset(tmp_path, split="train")
        assert data.classes.names == ("background", "cat") and data.classes.background == 0
        assert tags_of(data) == {"images/train/background/2.jpg": [], "images/train/cat/1.jpg": ["cat"]}

    def test_folders_that_are_no_classes(self, tmp_path):
        for name in ("train2017/1.jpg", "val2017/2.jpg"):
            picture(tmp_path / name)
        assert open_dataset(tmp_path).layout == "images"
        with pytest.raises(UsageError, match="not have the layout 'class-folders'"):
            open_dataset(tmp_path, labels="class-folders")

    def test_a_table_states_more_than_folders(self, tmp_path):
        for name in ("x/1.jpg", "y/2.jpg"):
            picture(tmp_path / name)
        write(tmp_path / "labels.csv", "image,labels\n1,cat\n2,cat\n")
        assert open_dataset(tmp_path).layout == "table"
        assert open_dataset(tmp_path, labels="class-folders").classes.names == ("background", "x", "y")
        assert open_dataset(tmp_path, labels="images").labels is None


class TestFileNames:
    @pytest.mark.parametrize(
        ("name", "classes", "tags"),
        [
            ("1031280-2300-27920-[1 0 0 1].png", LUAD_CLASSES, ["TE", "TAS"]),
            (
                "TCGA-A1-A0SK-DX1_xmin45749_ymin25055_MPP-0.2500+0[1101].png",
                BCSS_CLASSES,
                ["TUM", "STR", "NEC"],
            ),
            ("a[b]-[0, 1, 1].png", None, ["class-1", "class-2"]),
        ],
    )
    def test_both_spellings(self, tmp_path, name, classes, tags):
        picture(tmp_path / name)
        data = open_dataset(tmp_path)
        assert data.layout == "file-name"
        assert tags_of(data) == {name: tags}
        if classes is None:
            assert data.classes.background == -1
        else:  # index 4 of the masks is the background, which no tag names
            assert data.classes == classes and data.classes.background == 4
            assert data.labels[:, 4].tolist() == [0]

    def test_published_tree(self, tmp_path):
        picture(tmp_path / "train/p-[1 0 0 0].png")
        for split in ("val", "test"):
            picture(tmp_path / f"{split}/img/q.png")
            mask(tmp_path / f"{split}/mask/q.png", 4)
        train = open_dataset(tmp_path, split="train")
        assert tags_of(train) == {"train/p-[1 0 0 0].png": ["TE"]}
        val = open_dataset(tmp_path, split="val")
        assert val.labels is None and val.classes == LUAD_CLASSES and val.names == ("val/img/q.png",)
        assert val.mask_path(0) == tmp_path / "val/mask/q.png"
        assert (val.mask(0) == 255).all()  # 4 is white, or excluded
        with pytest.raises(
            BadInputError, match=r"no labels for image 'test/img/q\.png' and 1 more in the file names"
        ):
            open_dataset(tmp_path)

    def test_digits_that_do_not_fit(self, tmp_path):
        picture(tmp_path / "p-[1 0 0 0].png")
        picture(tmp_path / "q-[1 0].png")
        with pytest.raises(BadInputError, match=r"q-\[1 0\]\.png' has tags for 2 classes, but there are 4"):
            open_dataset(tmp_path)

    @pytest.mark.parametrize("tags", ["[1 0 2 1]", "[1 0 x 1]", "[]", "[1.0]", "[1;0;0;1]"])
    def test_other_signs_than_0_and_1(self, tmp_path, tags):
        picture(tmp_path / "p-[1 0 0 0].png")
        picture(tmp_path / f"q-{tags}.png")
        with pytest.raises(BadInputError) as error:
            open_dataset(tmp_path)
        assert (
            str(error.value)
            == f"the file name 'q-{tags}.png' ends in '{tags}', which is not a tag: tags are digits 0 and 1"
        )


def annotation(*names):
    objects = "".join(f"<object><name>{n}</name><part><name>head</name></part></object>" for n in names)
    return f"<annotation>{objects}</annotation>"


class TestVoc:
    @pytest.fixture
    def root(self, tmp_path):
        for stem, names in {
            "2007_000032": ("person", "aeroplane", "person"),
            "2007_000039": ("tvmonitor",),
        }.items():
            picture(tmp_path / f"JPEGImages/{stem}.jpg")
            write(tmp_path / f"Annotations/{stem}.xml", annotation(*names))
        mask(tmp_path / "SegmentationClass/2007_000032.png", 15)
        write(tmp_path / "ImageSets/Segmentation/train.txt", "2007_000032\n")
        return tmp_path

    def test_tags_and_masks(self, root):
        data = open_dataset(root)
        assert data.layout == "voc" and len(data.classes) == 21
        assert list(tags_of(data).values()) == [["aeroplane", "person"], ["tvmonitor"]]
        assert data.mask_path(0) == root / "SegmentationClass/2007_000032.png" and data.mask_path(1) is None
        assert (data.mask(0) == 15).all()

    def test_splits(self, root):
        assert len(open_dataset(root, split="train")) == 1
        write(root / "ImageSets/Main/train.txt", "2007_000032\n2007_000039\n")
        with pytest.raises(UsageError, match=r"ImageSets/Main/train\.txt, ImageSets/Segmentation/train\.txt"):
            open_dataset(root, split="train")
        assert len(open_dataset(root, split="ImageSets/Main/train.txt")) == 2
        write(root / "ImageSets/Main/person_train.txt", "2007_000032  1\n2007_000039 -1\n")
        assert len(open_dataset(root, split="person_train")) == 1
        write(root / "aug.txt", "/JPEGImages/2007_000032.jpg /SegmentationClassAug/2007_000032.png\n")
        assert len(open_dataset(root, split="aug.txt")) == 1

    def test_other_classes(self, root):
        write(root / "Annotations/2007_000039.xml", annotation("zebra"))
        data = open_dataset(root)
        assert data.classes.names == ("background", "aeroplane", "person", "zebra")

    def test_labels_of_another_source(self, root):
        np.save(
            root / "cls_labels.npy",
            {"2007_000032": np.eye(20)[3], "2007_000039": np.zeros(20)},
            allow_pickle=True,
        )
        with pytest.raises(
            UsageError, match=r"several layouts: npy \(cls_labels\.npy\), voc \(Annotations\)"
        ):
            open_dataset(root)
        assert tags_of(open_dataset(root, labels="cls_labels.npy"))["JPEGImages/2007_000032.jpg"] == ["boat"]
        assert open_dataset(root, labels="voc").layout == "voc"
        assert open_dataset(root, labels="Annotations").layout == "voc"

    def test_bad_annotations(self, root):
        write(root / "Annotations/2007_000039.xml", "<annotation>")
        with pytest.raises(BadInputError, match=r"2007_000039\.xml"):
            open_dataset(root)
        (root / "Annotations/2007_000039.xml").unlink()
        with pytest.raises(BadInputError, match="no labels for image"):
            open_dataset(root)
        with pytest.raises(MissingInputError, match=r"no \*\.xml"):
            voc.read(root / "JPEGImages")


def instances(**images):
    """COCO instances: file stem -> category ids."""
    files = [{"id": i, "file_name": f"{stem}.jpg"} for i, stem in enumerate(images)]
    annotations = [{"image_id": i, "category_id": c} for i, ids in enumerate(images.values()) for c in ids]
    categories = [{"id": 90, "name": "potted plant"}, {"id": 3, "name": "car"}]
    return json.dumps({"images": files, "annotations": annotations, "categories": categories})


class TestCoco:
    @pytest.fixture
    def root(self, tmp_path):
        for name in ("train2017/1.jpg", "train2017/2.jpg", "val2017/3.jpg"):
            picture(tmp_path / name)
        write(tmp_path / "annotations/instances_train2017.json", instances(**{"1": [90, 3, 3], "2": []}))
        write(tmp_path / "annotations/instances_val2017.json", instances(**{"3": [3]}))
        return tmp_path

    def test_split_decides_about_the_file(self, root):
        for split in ("train", "train2017"):
            data = open_dataset(root, split=split)
            assert data.layout == "coco" and data.classes.names == ("background", "car", "potted plant")
            assert tags_of(data) == {"train2017/1.jpg": ["car", "potted plant"], "train2017/2.jpg": []}
        with pytest.raises(
            UsageError, match=r"instances_train2017\.json, annotations/instances_val2017\.json"
        ):
            open_dataset(root)
        assert len(open_dataset(root, labels="annotations/instances_val2017.json")) == 1

    def test_boxes_file_and_class_list(self, root):
        write(root / "boxes.json", instances(**{"1": [90]}))
        write(root / "classes.txt", "0 background\n1 potted_plant\n2 car\n")
        data = open_dataset(root, boxes="boxes.json")
        assert tags_of(data) == {"train2017/1.jpg": ["potted_plant"]} and data.labels.tolist() == [[0, 1, 0]]
        with pytest.raises(MissingInputError, match=r"no box file 'gone\.json'"):
            open_dataset(root, boxes="gone.json")

    def test_missing_picture(self, root):
        (root / "train2017/2.jpg").unlink()
        with pytest.raises(MissingInputError, match=r"there is no image '2\.jpg', listed in COCO file"):
            open_dataset(root, split="train")

    @pytest.mark.parametrize(
        "text", ["", "[]", "{}", '{"images": [], "categories": [], "annotations": [{}]}', '{"images": 3}']
    )
    def test_bad_files(self, tmp_path, text):
        with pytest.raises(BadInputError, match="COCO file"):
            coco.read(write(tmp_path / "instances.json", text))

    @pytest.mark.parametrize(
        ("annotation", "message"),
        [
            ({"image_id": 9, "category_id": 1}, "annotation 0 is of image 9, which is not listed"),
            ({"image_id": 1, "category_id": 7}, "annotation 0 has the unknown category 7"),
        ],
    )
    def test_unknown_references_are_named(self, tmp_path, annotation, message):
        data = {
            "images": [{"id": 1, "file_name": "a.jpg"}],
            "categories": [{"id": 1, "name": "cat"}],
            "annotations": [annotation],
        }
        with pytest.raises(BadInputError, match=message):
            coco.read(write(tmp_path / "instances.json", json.dumps(data)))


@pytest.mark.data
class TestRealPacks:
    def test_msrc21(self, shared):
        data = open_dataset(shared / "data/msrc21", split="train")
        assert len(data) == 354 and len(data.classes) == 22 and data.classes.background == 0
        assert data.mask(0) is not None

    def test_glas_tiles(self, shared):
        data = open_dataset(shared / "data/glas_tiles", split="val")
        assert len(data) == 312 and data.classes.background == -1 and data.labels.any(1).all()

    def test_boxes_and_labels_of_pennfudan_agree(self, shared):
        root = shared / "data/pennfudan"
        assert np.array_equal(open_dataset(root).labels, open_dataset(root, boxes="boxes.json").labels)

    def test_coco200(self, shared):
        root = shared / "data/coco200"
        tables, boxes = open_dataset(root), open_dataset(root, boxes="boxes.json")
        assert tables.names == boxes.names and (tables.labels <= boxes.labels).all()
        assert open_dataset(root, labels="labels_super.csv").mask(0).max() <= 255
