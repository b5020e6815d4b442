"""What import and export refuse, in one sentence each, and what they leave untouched."""

import json

import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.messages import Heard
from tests.stages.chain import write_data, write_masks
from tests.stages.selections import NAMES, write_selection
from wsstool.cli.app import app
from wsstool.errors import BadInputError, CannotWriteError, MissingInputError, UsageError
from wsstool.stages.exchange.export import export
from wsstool.stages.exchange.import_masks import import_masks
from wsstool.types import ClassList


def test_names_that_a_format_cannot_hold_are_refused(tmp_path):
    names = ClassList(("background", "a:b", "c\x07", "d"), 0)
    selection = write_selection(tmp_path / "s.h5", classes=names)
    with pytest.raises(BadInputError, match="class name 'a:b' contains a colon"):
        export(selection, output=tmp_path / "o", format="voc")
    with pytest.raises(BadInputError, match="contains a character that XML does not allow"):
        export(selection, output=tmp_path / "o", format="cvat")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.h5"]


def test_nothing_of_others_is_lost(tmp_path, selection):
    mine = tmp_path / "mine.xml"
    mine.write_text("keep")
    with pytest.raises(UsageError, match="--force replaces"):
        export(selection, output=mine, format="cvat")
    assert mine.read_text() == "keep"
    export(selection, output=mine, format="cvat", force=True)
    assert mine.read_text().startswith("<?xml")
    (tmp_path / "folder").mkdir()
    with pytest.raises(CannotWriteError, match="is a folder"):
        export(selection, output=tmp_path / "folder", format="cvat")
    with pytest.raises(CannotWriteError, match="is a file"):
        export(selection, output=mine, format="yolo", force=True)
    manifest = ".mine.xml.wsstool-export.json"
    assert sorted(p.name for p in tmp_path.iterdir()) == [manifest, "folder", "mine.xml", "selection.h5"]


def test_formats_are_for_their_kind_of_file(tmp_path, selection):
    masks = write_masks(tmp_path / "masks.h5", write_data(tmp_path / "data"))
    with pytest.raises(UsageError, match="--format refer is for sentences"):
        export(masks, output=tmp_path / "o", format="refer")
    with pytest.raises(UsageError, match="--format png cannot hold a selection file; choose from overlay, "):
        export(selection, output=tmp_path / "o", format="png")
    with pytest.raises(UsageError, match="--layer and --prefix are for mask and cam files"):
        export(selection, output=tmp_path / "o", layer="x")
    with pytest.raises(UsageError, match="--min-area is for the regions of label maps"):
        export(selection, output=tmp_path / "o", format="coco", min_area=5)
    with pytest.raises(UsageError, match="are for object formats, not for overlay"):
        export(selection, output=tmp_path / "o", format="overlay", score_below=0.5)
    with pytest.raises(UsageError, match="--set and --like are for object formats, not for png"):
        export(masks, output=tmp_path / "o", settings=["shape=mask"])
    with pytest.raises(UsageError, match="shape=circle: give mask or polygon"):
        export(selection, output=tmp_path / "o", settings=["shape=circle"])
    with pytest.raises(UsageError, match="place=x: give predictions or annotations"):
        export(selection, output=tmp_path / "o", format="label-studio", settings=["place=x"])
    with pytest.raises(BadInputError, match="would both become 'eins'"):
        export(write_selection(tmp_path / "t.h5"), output=tmp_path / "o", flat=True, format="voc")
    assert not (tmp_path / "o").exists()


def test_what_import_refuses(tmp_path, selection, pictures):
    out = tmp_path / "none.h5"
    with pytest.raises(MissingInputError, match="there is no annotation file"):
        import_masks(tmp_path / "nowhere.json", output=out)
    (tmp_path / "x.json").write_text("hello")
    with pytest.raises(BadInputError, match=r"neither JSON .* nor XML"):
        import_masks(tmp_path / "x.json", output=out)
    export(selection, output=tmp_path / "o.json")
    (tmp_path / "c.txt").write_text("0 background\n1 traffic light\n")
    with pytest.raises(BadInputError, match=r"contains the label 'Käfer.* and 1 more, not in the class list"):
        import_masks(tmp_path / "o.json", output=out, class_list=tmp_path / "c.txt")
    Image.new("RGB", (4, 4)).save(pictures / NAMES[0])
    with pytest.raises(BadInputError, match="another size"):
        import_masks(tmp_path / "o.json", output=out, images=pictures)
    (pictures / NAMES[0]).unlink()
    heard = Heard()
    assert import_masks(tmp_path / "o.json", output=out, images=pictures, messages=heard)["masks"] == 2
    assert "lists 1 images that are not in the data folder" in heard.warned[0]
    data = json.loads((tmp_path / "o.json").read_text())
    (tmp_path / "b.json").write_text(
        json.dumps({**data, "annotations": [{**a, "segmentation": None} for a in data["annotations"]]})
    )
    with pytest.raises(BadInputError, match="contains no masks; use its boxes with train-contour --boxes"):
        import_masks(tmp_path / "b.json", output=tmp_path / "b.h5")
    bad = {
        **data,
        "annotations": [
            {**a, "segmentation": {"size": [9, 12], "counts": "zz"}} for a in data["annotations"]
        ],
    }
    (tmp_path / "r.json").write_text(json.dumps(bad))
    with pytest.raises(BadInputError, match="run lengths"):
        import_masks(tmp_path / "r.json", output=tmp_path / "r.h5")
    climbing = json.loads(json.dumps(data, ensure_ascii=False).replace("犬 & größe/eins.png", "../eins.png"))
    (tmp_path / "u.json").write_text(json.dumps(climbing))
    with pytest.raises(BadInputError, match="a path outside its folder; name the image folder with --images"):
        import_masks(tmp_path / "u.json", output=tmp_path / "u.h5")
    (tmp_path / "t.xml").write_text(
        '<annotations><image name="a.png" width="9" height="9"><tag label="x"/></image></annotations>'
    )
    with pytest.raises(BadInputError, match="use its labels of whole images with train-cls --labels"):
        import_masks(tmp_path / "t.xml", output=tmp_path / "u.h5")
    assert not list(tmp_path.glob("*.h5.part"))


def test_the_command_line_pipes_and_answers(tmp_path, selection, pictures):
    runner = CliRunner()
    out = str(tmp_path / "o.xml")
    assert runner.invoke(app, ["export", str(selection), "--format", "cvat", "-o", out]).exit_code == 0
    again = runner.invoke(app, ["export", str(selection), "--format", "cvat", "-o", out])
    assert again.exit_code == 0 and "up to date" in again.output
    back = ["import", out, "--images", str(pictures), "-o", str(tmp_path / "b.h5")]
    done = runner.invoke(app, back)
    assert done.exit_code == 0 and "6 masks in 3 images" in done.output
    (tmp_path / "o.xml").write_text("<annotations><track/></annotations>")
    refused = runner.invoke(app, [*back, "--force"])
    assert refused.exit_code == 65 and "CVAT for images 1.1" in refused.output
    assert runner.invoke(app, ["import", "nowhere.json", "-o", str(tmp_path / "c.h5")]).exit_code == 66
