"""Objects with sentences, and small files of each format."""

import json
import pickle

from wsstool.expressions.expression import Expression

RLE = {"size": [4, 6], "counts": [2, 3, 19]}
ROWS = (
    Expression(
        "a.jpg", ("red star", "the one on the left"), (1.5, 2.0, 4.25, 4.0), RLE, id=3, annotation_id=30,
        image_id=7, sentence_ids=(8, 5), category="star", split="train", dataset="x", size=(4, 6),
    ),
    Expression(
        "a.jpg", ("红色的车 🙂",), (0.0, 0.0, 2.0, 2.0), [[0.0, 0.0, 2.0, 0.0, 2.0, 2.0]], id=4,
        annotation_id=31,
        image_id=7, sentence_ids=(6,), category="car", split="testA", size=(4, 6),
    ),
    Expression(
        "b/c.png", ("nothing",), no_target=True, id=5, image_id=9, sentence_ids=(7,), category="car",
        split="testB",
    ),
    Expression(
        "b/c.png", ("unknown place",), id=9, annotation_id=33, image_id=9, sentence_ids=(9,), category="star",
        split="val",
    ),
)  # fmt: skip


def lines(tmp_path, *rows, name="x.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def instances(**changes):
    """A COCO file of two images with one annotation each."""
    data = {
        "images": [
            {"id": 1, "file_name": "a.jpg", "width": 6, "height": 4},
            {"id": 2, "file_name": "b.jpg", "width": 6, "height": 4},
        ],
        "annotations": [
            {"id": 10, "image_id": 1, "category_id": 5, "bbox": [1, 1, 2, 2], "segmentation": []},
            {"id": 11, "image_id": 2, "category_id": 5, "bbox": [0, 0, 6, 4], "segmentation": RLE},
        ],
        "categories": [{"id": 5, "name": "star"}],
    }
    return data | changes


def refer_folder(folder, refs, data=None, name="refs(unc).p"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "instances.json").write_text(json.dumps(data or instances()))
    path = folder / name
    path.write_bytes(json.dumps(refs).encode() if name.endswith("json") else pickle.dumps(refs, 2))
    return path


def ref(**changes):
    one = {
        "ref_id": 1,
        "ann_id": 10,
        "image_id": 1,
        "category_id": 5,
        "split": "val",
        "file_name": "a_10.jpg",
    }
    one |= {
        "sent_ids": [4],
        "sentences": [{"sent_id": 4, "sent": "red star", "raw": "Red star", "tokens": []}],
    }
    return one | changes
