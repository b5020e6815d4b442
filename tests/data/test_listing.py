"""Which pictures a folder has."""

import pytest

from tests.data.folders import picture
from wsstool.data.listing import find_images
from wsstool.errors import BadInputError


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
