"""Pretrained weights of timm's networks, behind file:// addresses in place of the hub."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.pretrained import timm_weights
from wsstool.pretrained.catalogue import catalogue, entry_named
from wsstool.pretrained.folder import find, named_weights
from wsstool.stages.program.weights import weights

timm = pytest.importorskip("timm")
save_file = pytest.importorskip("safetensors.torch").save_file

NAME, TAG = "timm:test_vit", "timm:test_vit.r160_in1k"
FILE = "test_vit.r160_in1k.safetensors"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("WSSTOOL_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", (tmp_path / "hub").as_uri())
    return tmp_path / "weights"


@pytest.fixture
def published(tmp_path, folder) -> Path:
    """The file that the hub would give for ``timm:test_vit``, with timm's classifier in it."""
    path = tmp_path / "hub" / "timm" / "test_vit.r160_in1k" / "resolve" / "main" / "model.safetensors"
    path.parent.mkdir(parents=True)
    save_file(timm.create_model("test_vit").state_dict(), path)
    return path


def entry():
    return entry_named(NAME, {})


class TestEntries:
    def test_the_preferred_tag_is_named(self, folder):
        found = entry()
        assert (found.name, found.file, found.licence) == (TAG, FILE, "apache-2.0")
        assert found.url.endswith("/hub/timm/test_vit.r160_in1k/resolve/main/model.safetensors")
        assert "r160_in1k" in found.trained_on
        assert entry_named(TAG, {}) == found

    def test_a_file_with_digits_in_its_name_states_its_digest(self):
        found = entry_named("timm:legacy_xception", {})
        assert found.file == f"xception-{found.sha256}.pth" and len(found.sha256) >= 8

    def test_an_own_catalogue_comes_first(self, folder, published):
        folder.mkdir()
        (folder / "catalogue.toml").write_text(
            f'["{NAME}"]\nurl = "{published.as_uri()}"\nsha256 = "{"0" * 64}"\n'
        )
        assert entry_named(NAME, catalogue(folder)).sha256 == "0" * 64
        with pytest.raises(BadInputError, match="another SHA-256 than 00000000"):
            weights("pull", [NAME])
        with pytest.raises(MissingInputError, match=r"put model\.safetensors \(file:"):
            named_weights(Path("imagenet"), f"linear-{NAME}")

    @pytest.mark.parametrize(
        ("name", "kind", "says"),
        [
            ("timm:test_vits", UsageError, "timm has no network 'test_vits'; the nearest are: test_vit"),
            ("timm:", UsageError, "name a network of timm"),
            ("timm:test_vit.x", MissingInputError, "the tags of test_vit are: r160_in1k$"),
            ("timm:vit_tiny_patch16_224.x", MissingInputError, "are: augreg_in21k, augreg_in21k_ft_in1k$"),
            ("timm:resnet10t.", MissingInputError, r"timm has no weights 'resnet10t\.'; .* are: c3_in1k$"),
            ("timm:cs3darknet_s", MissingInputError, "no weights for cs3darknet_s; name a file with --init"),
        ],
    )
    def test_names_that_timm_does_not_know(self, name, kind, says):
        with pytest.raises(kind, match=says):
            entry_named(name, {})

    def test_without_timm(self, monkeypatch):
        monkeypatch.setattr(
            "wsstool.models.backbones.timm_network.find_spec",
            lambda name: None if name == "timm" else find_spec(name),
        )
        with pytest.raises(UsageError, match=r"needs timm, which is not installed: pip install 'wsstool\[t"):
            entry_named(NAME, {})


class TestPull:
    def test_fetched_found_and_verified(self, folder, published):
        first = weights("pull", [NAME])["weights"][0]
        assert Path(first["path"]) == folder / FILE
        assert first["sha256"] == hashlib.sha256(published.read_bytes()).hexdigest()
        published.unlink()
        assert weights("pull", [NAME])["weights"] == weights("verify", [NAME])["weights"] == [first]
        assert weights("list", [TAG])["weights"] == [first | {"sha256": ""}]
        for init, arch in (("imagenet", NAME), ("imagenet", f"linear-{TAG}"), (NAME, "linear-tiny")):
            assert named_weights(Path(init), arch) == folder / FILE

    def test_list_and_verify_show_what_was_fetched(self, folder, published):
        assert TAG not in [one["name"] for one in weights("list")["weights"]]
        weights("pull", [NAME])
        (folder / "mine.safetensors").write_bytes(b"another file")
        assert weights("list")["weights"][-1]["name"] == TAG
        assert [one["name"] for one in weights("verify")["weights"]] == [TAG]

    def test_nothing_is_fetched_unless_asked_for(self, folder, published):
        says = rf"weights pull {TAG}', or put file:.*/model\.safetensors as {FILE} into '{folder}'"
        for ask in (lambda: weights("path", [NAME]), lambda: named_weights(Path("imagenet"), NAME)):
            with pytest.raises(MissingInputError, match=says):
                ask()
        assert not folder.exists()

    def test_out_of_reach(self, folder):
        with pytest.raises(MissingInputError, match=rf"cannot fetch file:.*put it as {FILE} into '{folder}'"):
            weights("pull", [NAME])
        assert list(folder.iterdir()) == []

    @pytest.mark.parametrize("content", ["page", "truncated", "another"])
    def test_what_does_not_fit_is_not_kept(self, folder, published, content):
        if content == "another":
            save_file(timm.create_model("test_resnet").state_dict(), published)
        else:
            whole = published.read_bytes()
            published.write_bytes(b"<html>please log in</html>" if content == "page" else whole[:-100])
        with pytest.raises(BadInputError, match=rf"does not contain the weights of {TAG}; nothing was kept"):
            weights("pull", [NAME])
        assert list(folder.iterdir()) == []


class TestCacheOfTheHub:
    """The layout of its own program: refs name a commit, snapshots link to blobs named by their SHA-256."""

    @pytest.fixture
    def blob(self, tmp_path, published) -> Path:
        repository = tmp_path / "home" / "hub" / "models--timm--test_vit.r160_in1k"
        content = published.read_bytes()
        blob = repository / "blobs" / hashlib.sha256(content).hexdigest()
        snapshot = repository / "snapshots" / "c0ffee" / "model.safetensors"
        for path in (blob, snapshot, repository / "refs" / "main"):
            path.parent.mkdir(parents=True)
        blob.write_bytes(content)
        snapshot.symlink_to(blob)
        (repository / "refs" / "main").write_text("c0ffee")
        return blob

    def test_a_file_is_found_there(self, folder, blob):
        path = find(entry(), folder)
        assert path.resolve() == blob
        assert weights("verify", [NAME])["weights"][0]["sha256"] == blob.name

    def test_a_changed_value_is_found_out(self, blob):
        content = bytearray(blob.read_bytes())
        content[-1] ^= 1  # still a file of the right names and shapes
        blob.write_bytes(content)
        with pytest.raises(BadInputError, match=f"SHA-256 starts with .*, not {blob.name[:8]}; remove"):
            weights("verify", [NAME])


def test_the_weights_are_those_of_timm(folder, published, monkeypatch):
    """The maps of a backbone that starts from the hub's file are those of timm's network with that file."""
    from wsstool.models.backbones import build_backbone
    from wsstool.models.initial_weights import load_backbone
    from wsstool.models.weights import load_weights

    theirs = timm.create_model("test_vit", checkpoint_path=str(published)).eval()
    weights("pull", [NAME])
    path = named_weights(Path("imagenet"), NAME)
    ours = build_backbone(NAME).eval()
    load_backbone(ours, load_weights(path), path)
    x = torch.randn(1, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = theirs.forward_intermediates(x, norm=True, output_fmt="NCHW", intermediates_only=True)[-1]
        torch.testing.assert_close(ours(x), wanted, rtol=1e-5, atol=1e-5)


def test_digits_of_file_names(tmp_path):
    assert timm_weights.stated_digest(tmp_path / "x-0123abcd.pth.tar") == "0123abcd"
    assert timm_weights.stated_digest(tmp_path / "x-small.pth") == ""
