"""Pretrained weights of timm's networks: what timm knows about them, and whether a file fits."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wsstool.errors import MissingInputError, UsageError
from wsstool.models.backbones.timm_names import imported_timm
from wsstool.models.backbones.timm_network import PREFIX, timm_backbone, timm_name
from wsstool.models.initial_weights import load_backbone
from wsstool.models.weights import load_weights
from wsstool.pretrained.entry import Entry, HubFile

HUB = "https://huggingface.co"
"""Address of the hub, unless ``HF_ENDPOINT`` names another."""

HUB_FILE = "model.safetensors"
"""Name of the weights in a repository of the hub, unless timm states another."""

DIGITS = re.compile(r"-([0-9a-f]{8,64})\.[a-z.]+$")
"""First digits of the SHA-256 at the end of a file name, a custom of PyTorch."""


def timm_entry(name: str) -> Entry:
    """Return the entry of a network of timm.

    Args:
        name: ``timm:NAME``, for the weights that timm prefers, or ``timm:NAME.TAG``.

    Raises:
        UsageError: timm is not installed, or has no such network.
        MissingInputError: timm knows no weights for it, or none of that tag.
    """
    config = _config(timm_name(name))
    own = f"{config.architecture}.{config.tag}".removesuffix(".")
    known: dict[str, Any] = {
        "name": PREFIX + own,
        "licence": config.license or "not stated",
        "trained_on": f"not stated, but by the tag: {config.tag}" if config.tag else "not stated",
    }
    if config.hf_hub_id:
        repository, _, revision = config.hf_hub_id.partition("@")
        hub = HubFile(repository, config.hf_hub_filename or HUB_FILE, revision or "main")
        address = f"{os.environ.get('HF_ENDPOINT') or HUB}/{repository}/resolve/{hub.revision}/{hub.file}"
        return Entry(**known, file=own + Path(hub.file).suffix, sha256="", url=address, hub=hub)
    file = Path(urlsplit(config.url).path).name
    digits = DIGITS.search(file)
    return Entry(**known, file=file, sha256=digits[1] if digits else "", url=config.url)


def fetched(folder: Path) -> list[Entry]:
    """Return the entries of timm whose file from the hub lies in a folder, as far as this timm knows them."""
    found = []
    for path in sorted(folder.glob(f"*{Path(HUB_FILE).suffix}")):
        try:
            entry = timm_entry(PREFIX + path.stem)
        except (UsageError, MissingInputError):
            continue  # another file, or timm is not installed
        if entry.file == path.name:
            found.append(entry)
    return found


def _config(name: str) -> Any:
    """Return what timm knows about the weights of a network."""
    timm = imported_timm()
    try:
        config = timm.get_pretrained_cfg(name)
    except RuntimeError:  # another tag
        own = name.partition(".")[0]
        tags = [full.partition(".")[2] for full in timm.list_pretrained(f"{own}.*")]
        raise MissingInputError(
            f"timm has no weights '{name}'; the tags of {own} are: {', '.join(filter(None, tags)) or 'none'}"
        ) from None
    if config is None or not (config.hf_hub_id or (config.url and not config.custom_load)):
        raise MissingInputError(f"timm knows no weights for {name}; name a file with --init")
    return config


def stated_digest(path: Path) -> str:
    """Return the SHA-256, or its first digits, that the name of a file states; '' if it states none.

    The files in the cache of the hub are links to blobs that are named by their SHA-256.
    """
    if re.fullmatch("[0-9a-f]{64}", path.resolve().name):
        return path.resolve().name
    digits = DIGITS.search(path.name)
    return digits[1] if digits else ""


def check_fit(entry: Entry, path: Path) -> None:
    """Check that a file contains the weights of the network of an entry, by names and shapes.

    Raises:
        BadInputError: damaged, or of another network.
    """
    load_backbone(timm_backbone(entry.name), load_weights(path), path)
