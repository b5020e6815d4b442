"""Which pictures a folder has."""

from tests.data.folders import picture
from wsstool.data.listing import find_images


def test_links_are_followed_once_and_loops_end(tmp_path):
    root, elsewhere = tmp_path / "data", tmp_path / "disk"
    picture(root / "own/a.png")
    picture(elsewhere / "b.png")
    (root / "linked").symlink_to(elsewhere)
    (root / "linked-again").symlink_to(elsewhere)
    (root / "own/up").symlink_to(root)
    assert find_images(root) == ("linked/b.png", "own/a.png")
