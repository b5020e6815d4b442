"""Commands on a list of images: the same bytes as a walk that finds those images."""

import shutil

import pytest

from tests.stages.toy import write_rectangles
from wsstool import store
from wsstool.cli.app import app
from wsstool.errors import BadInputError, UsageError
from wsstool.stages.inputs.label_maps import open_label_maps
from wsstool.stages.inputs.tags import open_tagged
from wsstool.stages.objects.propose import propose
from wsstool.stages.options.objects import ProposeOptions
from wsstool.stages.options.parts import ImageList
from wsstool.stages.streams.merge import merge


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_rectangles_in(tmp_path_factory.mktemp("set") / "data")


def write_rectangles_in(root):
    root.mkdir()
    write_rectangles(root, 6)
    return root


def proposals(data, path, **options):
    propose(data, output=path, workers=0, **options)
    return path.read_bytes()


def listing(data, path, numbers):
    path.write_text("".join(f"images/{i:02d}.png\n" for i in numbers))
    return path


def test_a_list_of_all_images_gives_the_bytes_of_a_walk(data, tmp_path):
    names = listing(data, tmp_path / "all.txt", [3, 1, 0, 5, 4, 2])
    walked = proposals(data, tmp_path / "walked.h5")
    assert proposals(data, tmp_path / "listed.h5", files_from=names) == walked


def test_a_list_of_some_gives_the_bytes_of_a_folder_of_those(data, tmp_path, monkeypatch):
    few = shutil.copytree(data, tmp_path / "few" / "data")
    for i in (0, 2, 5):
        (few / f"images/{i:02d}.png").unlink()
    names = listing(data, tmp_path / "some.txt", [1, 3, 4])
    monkeypatch.chdir(tmp_path / "few")
    walked = proposals("data", tmp_path / "walked.h5")
    monkeypatch.chdir(data.parent)
    assert proposals("data", tmp_path / "listed.h5", files_from=names) == walked


def test_shards_of_a_list_merge_to_the_list(data, tmp_path):
    names = listing(data, tmp_path / "some.txt", [0, 1, 3, 4, 5])
    parts = [tmp_path / f"{i}.h5" for i in range(3)]
    for i, part in enumerate(parts):
        proposals(data, part, files_from=names, shard=f"{i}/3")
    merge([str(part) for part in parts], output=tmp_path / "merged.h5")
    proposals(data, tmp_path / "whole.h5", files_from=names)
    with store.open_records(tmp_path / "merged.h5") as one, store.open_records(tmp_path / "whole.h5") as two:
        assert one.header.images == two.header.images
        pairs = zip(one.records(), two.records(), strict=True)
        assert all((a.data == b.data).all() for a, b in pairs)


def test_the_list_is_no_part_of_the_key(data):
    plain = ProposeOptions(data=data).key_params()
    assert ProposeOptions(data=data, files_from="list.txt").key_params() == plain


def test_training_on_a_list_takes_no_split_of_its_own_accord(data, tmp_path):
    (data / "splits").mkdir(exist_ok=True)
    (data / "splits/train.txt").write_text("00\n01\n")
    names = ImageList(files_from=listing(data, tmp_path / "some.txt", [2, 3])).name_list
    try:
        assert len(open_tagged(data, None, None, None, None).paths) == 2
        found = open_tagged(data, None, None, None, None, names)
        assert [path.name for path in found.paths] == ["02.png", "03.png"]
        assert found.split is None
        with pytest.raises(BadInputError, match="none of the images that are used"):
            open_tagged(data, "train", None, None, None, names)
    finally:
        shutil.rmtree(data / "splits")


def test_ground_truth_of_a_list(data, tmp_path):
    names = ImageList(files_from=listing(data, tmp_path / "some.txt", [2, 3])).name_list
    assert len(open_label_maps(data, None, None, None, None, names).numbers) == 2
    with pytest.raises(UsageError, match="--files-from"):
        open_label_maps(tmp_path / "masks.h5", None, None, None, None, names)


def test_every_command_that_reads_a_data_folder_takes_a_list():
    import typer

    group = typer.main.get_command(app)
    for name in (
        "train-cls",
        "cam",
        "propose",
        "train-contour",
        "contour",
        "cotrain",
        "predict",
        "robustness",
    ):
        spelled = {one for parameter in group.commands[name].params for one in parameter.opts}
        assert "--files-from" in spelled, name
