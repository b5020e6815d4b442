"""Which pictures a folder has."""

import pytest

from tests.data.folders import picture, write
from tests.messages import Heard
from wsstool.data.dataset import open_dataset
from wsstool.data.listing import find_images, list_images
from wsstool.errors import BadInputError, MissingInputError


def test_links_are_followed_once_and_loops_end(tmp_path):
    root, elsewhere = tmp_path / "data", tmp_path / "disk"
    picture(root / "own/a.png")
    picture(elsewhere / "b.png")
    (root / "linked").symlink_to(elsewhere)
    (root / "linked-again").symlink_to(elsewhere)
    (root / "own/up").symlink_to(root)
    assert find_images(root) == ("linked/b.png", "own/a.png")


def test_a_file_is_no_data_folder(tmp_path):
    (tmp_path / "x.h5").write_bytes(b"")
    with pytest.raises(BadInputError, match="is a file"):
        find_images(tmp_path / "x.h5")


@pytest.mark.parametrize("folder", ["images", "img", "imgs", "JPEGImages"])
def test_files_that_are_not_read_are_counted(tmp_path, folder):
    picture(tmp_path / folder / "a.png")
    assert list_images(tmp_path)[1] == ""
    write(tmp_path / folder / "a.txt", "0 .5 .5 .1 .1")
    write(tmp_path / folder / "a.xml", "<annotation/>")
    write(tmp_path / "README", "")
    assert list_images(tmp_path)[1] == ""
    write(tmp_path / folder / "sub/b.CZI", "")
    assert list_images(tmp_path)[1] == "left out: 1 file with an ending that is not read (.czi)"
    for name in ("c.heic", "d.czi", "e", "f.xyz"):
        write(tmp_path / folder / name, "")
    heard = Heard()
    assert len(open_dataset(tmp_path, messages=heard)) == 1
    assert heard.warned == ["left out: 5 files with endings that are not read (.czi, .heic, .xyz, none)"]


def test_beside_other_files_only_images_count(tmp_path):
    picture(tmp_path / "a.png")
    for name in ("labels.csv", "Makefile", "notes.docx", "masks/b.czi", ".c.czi"):
        write(tmp_path / name, "image,labels\na.png,cat\n")
    assert list_images(tmp_path)[1] == ""
    write(tmp_path / "x.vsi", "")
    assert list_images(tmp_path)[1] == "left out: 1 file with an ending that is not read (.vsi)"
    (tmp_path / "a.png").unlink()
    with pytest.raises(MissingInputError, match=r"no images in .*; left out: 1 file .*\(\.vsi\)"):
        open_dataset(tmp_path)
