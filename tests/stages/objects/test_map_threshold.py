"""``select --threshold``, and ``eval`` of object maps."""

import io
import json

import numpy as np
import pytest

from tests.messages import Heard
from tests.stages.object_sets import write_maps, write_objects, write_proposals
from wsstool import store
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.stages.objects.select import select
from wsstool.stages.scoring.evaluate import columns, evaluate
from wsstool.stages.streams.merge import merge


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_objects(tmp_path_factory.mktemp("objects") / "data")


@pytest.fixture(scope="module")
def maps(root):
    """Maps whose objects reach 0.4: at 0.5 they are empty."""
    return write_maps(root.parent / "c.h5", root, level=0.4)


def bytes_of(path):
    with store.open_records(path) as reader:
        return [record.data.tobytes() for record in reader.records()]


def test_the_threshold_is_chosen_from_the_boxes(maps, root, tmp_path):
    heard = Heard()
    found = select(
        None, contour=str(maps), method="prior", threshold="auto", output=tmp_path / "a.h5", messages=heard
    )
    header = store.open_random(tmp_path / "a.h5").header
    assert (
        header.attributes["threshold"] == 0.05 and not found["fallbacks"]
    )  # outside the object maps are 0.04
    assert any("chose threshold 0.05" in text for text in heard.said)
    select(None, contour=str(maps), method="prior", threshold="0.05", output=tmp_path / "b.h5")
    assert bytes_of(tmp_path / "a.h5") == bytes_of(tmp_path / "b.h5")
    same = store.open_random(tmp_path / "b.h5").header
    select(None, contour=str(maps), method="prior", settings=["threshold=0.05"], output=tmp_path / "b.h5")
    assert store.open_random(tmp_path / "b.h5").header.key == same.key != header.key
    assert evaluate(tmp_path / "a.h5", truth=root, bootstrap=0)["rows"][0]["instance_miou"] == 1


def test_selectors_take_shares_of_the_maximum(maps, root, tmp_path):
    proposals = write_proposals(tmp_path / "p.h5", root)
    select(
        str(proposals),
        contour=str(maps),
        method="best",
        threshold="auto",
        output=tmp_path / "a.h5",
    )
    assert store.open_random(tmp_path / "a.h5").header.attributes["threshold"] == 0.15  # above 0.04 / 0.4


def test_a_pipe_and_a_file_give_the_same(maps, tmp_path, monkeypatch):
    select(None, contour=str(maps), method="prior", threshold="auto", output=tmp_path / "a.h5")
    with open(maps, "rb") as stream:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stream))
        select("-", method="prior", threshold="auto", output=tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_no_option_no_change_of_the_key(maps, tmp_path):
    select(None, contour=str(maps), method="prior", output=tmp_path / "a.h5")
    assert "threshold" not in store.open_random(tmp_path / "a.h5").header.params


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": "much"}, "--threshold much: give auto, or a number"),
        ({"threshold": "0"}, "--threshold 0: give auto"),
        ({"threshold": "nan"}, "--threshold nan: give auto"),
        ({"threshold": "0.4", "settings": ["threshold=0.3"]}, "not both"),
        ({"threshold": "auto", "method": "ellipse"}, "'ellipse' has no threshold"),
        ({"threshold": "0.4", "method": "ellipse"}, "'ellipse' has no option 'threshold'"),
        ({"threshold": "auto", "method": "greedy"}, "guide=region"),
    ],
)
def test_refusals(maps, root, tmp_path, options, message):
    source = str(write_proposals(tmp_path / "p.h5", root)) if options.get("method") == "greedy" else None
    with pytest.raises(UsageError, match=message):
        select(source, contour=str(maps), output=tmp_path / "s.h5", **{"method": "prior", **options})


def write_shard(path, root, shard, indices, monkeypatch):
    """Maps of some images, as a shard."""
    original = store.new_header

    def new_header(*args, params, **rest):
        return original(*args, params={**params, "shard": shard}, **rest)

    with monkeypatch.context() as patched:
        patched.setattr(store, "new_header", new_header)
        return str(write_maps(path, root, indices, level=0.4))


def test_a_shard_is_refused_and_merged_shards_are_the_whole(root, tmp_path, monkeypatch):
    one = write_shard(tmp_path / "0.h5", root, "0/2", (0, 2, 4), monkeypatch)
    other = write_shard(tmp_path / "1.h5", root, "1/2", (1, 3), monkeypatch)
    options = {"method": "prior", "threshold": "auto", "output": tmp_path / "s.h5"}
    with pytest.raises(UsageError, match="merge the shards first"):
        select(None, contour=one, **options)
    merge([one, other], output=tmp_path / "c.h5")
    select(None, contour=str(tmp_path / "c.h5"), **options)
    assert store.open_random(tmp_path / "s.h5").header.attributes["threshold"] == 0.05


def test_a_damaged_file_is_found(maps, tmp_path):
    content = bytearray(maps.read_bytes())
    at = content.index(np.float16(0.4).tobytes() * 4)
    content[at : at + 2] = np.float16(0.8).tobytes()
    (tmp_path / "c.h5").write_bytes(content)
    damaged = str(tmp_path / "c.h5")
    with pytest.raises(BadInputError, match="checksum"):
        select(None, contour=damaged, method="prior", threshold="auto", output=tmp_path / "s.h5")


def test_a_sweep_over_maps(maps, root):
    (plain,) = evaluate(maps, truth=root)["rows"]
    assert plain["instance_miou"] == 0 and plain["scored"] == 7 and "sweep" not in plain
    summary = evaluate(maps, truth=root, sweep=True)
    (row,) = summary["rows"]
    sweep = row["sweep"]
    assert sweep["best"] == sweep["auto"] == {"threshold": 0.05, "instance_miou": 1.0}
    at = sweep["thresholds"].index(0.4)
    assert sweep["instance_miou"][:at] == [1.0] * at and sweep["instance_miou"][at + 1 :] == [0.0] * (18 - at)
    assert any("oracle" in part for part in columns(summary) if isinstance(part, str))


def test_score_files_of_maps_join(maps, root, tmp_path):
    whole = evaluate(maps, truth=root, sweep=True)
    for name, indices in (("a", (1, 3)), ("b", (0, 2, 4))):
        part = write_maps(tmp_path / f"{name}.h5", root, indices, level=0.4)
        evaluate(part, truth=root, sweep=True, output=tmp_path / f"{name}.json")
    joined = evaluate([tmp_path / "a.json", tmp_path / "b.json"])
    assert joined["rows"] == whole["rows"] and joined["images"] == 5
    evaluate(tmp_path / "a.h5", truth=root, output=tmp_path / "a.json")
    with pytest.raises(BadInputError, match="use of --sweep"):
        evaluate([tmp_path / "a.json", tmp_path / "b.json"])


def test_maps_need_masks(maps, root, tmp_path):
    content = json.loads((root / "boxes.json").read_text())
    for one in content["annotations"]:
        del one["segmentation"]
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    with pytest.raises(MissingInputError, match="ground-truth masks"):
        evaluate(maps, truth=tmp_path / "boxes.json")


def test_ground_truth_of_other_images(maps, root, tmp_path):
    other = write_objects(tmp_path / "other")
    for path in sorted((other / "images").iterdir()):
        path.rename(path.with_name(f"x{path.name}"))
    content = json.loads((other / "boxes.json").read_text())
    for image in content["images"]:
        image["file_name"] = f"x{image['file_name']}"
    (other / "boxes.json").write_text(json.dumps(content))
    with pytest.raises(BadInputError, match="lists none of the 5 images"):
        evaluate(maps, truth=other)


def test_images_that_are_gone_and_others_that_are_listed(maps, tmp_path):
    root = write_objects(tmp_path / "data", 6)
    for number in (0, 5):
        (root / f"images/p{number}.png").unlink()
    (row,) = evaluate(maps, truth=root)["rows"]
    assert row["objects"] == 7 and row["scored"] == 5  # the first image has two objects
