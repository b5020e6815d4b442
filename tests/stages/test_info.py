"""``info`` on data folders; files are covered by the store and the weights."""

from tests.data.folders import picture
from wsstool.stages.info import info


def test_a_folder(tmp_path):
    for name in ("a", "b", "c"):
        picture(tmp_path / "images" / f"{name}.png")
    (tmp_path / "labels.csv").write_text("image,labels\na.png,cat dog\nb.png,dog\nc.png,\n")
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "train.txt").write_text("a\nb\n")
    found = info(tmp_path)
    assert (found["images"], found["splits"], found["background"]) == (3, ["train"], "background")
    assert found["images_by_class"] == {"cat": 1, "dog": 2} and found["without_tags"] == 1
