"""Pretrained weights of timm's networks: what timm knows about them, and whether a file fits."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wsstool.errors import MissingInputError
from wsstool.models.backbones.timm_network import PREFIX, timm_backbone, timm_name
from wsstool.models.initial_weights import load_backbone
from wsstool.models.weights import load_weights
from wsstool.pretrained.catalogue import Entry, HubFile

HUB = "https://huggingface.co"
"""Address of the hub, unless ``HF_ENDPOINT`` names another."""

HUB_FILE = "model.safetensors"
"""Name of the weights in a repository of the hub, unless timm states another."""

DIGITS = re.compile(r"-([0-9a-f]{8,64})\.\w+$")
"""First digits of the SHA-256 at the end of a file name, a custom of PyTorch."""


def timm_entry(name: str) -> Entry:
    """Return the entry of a network of timm.

    Args:
        name: ``timm:NAME``, for the weights that timm prefers, or ``timm:NAME.TAG``.

    Raises:
        UsageError: timm is not installed, or has no such network.
        MissingInputError: timm knows no weights for it, or none of that tag.
    """
    own = timm_name(name)
    config = _config(own)
    known = f"{PREFIX}{config.architecture}.{config.tag}"
    file = Path(urlsplit(config.url or "").path).name
    licence, trained_on = config.license or "not stated", f"tag {config.tag} of timm"
    if config.hf_hub_id:
        repository, _, revision = config.hf_hub_id.partition("@")
        hub = HubFile(repository, config.hf_hub_filename or HUB_FILE, revision or "main")
        address = f"{os.environ.get('HF_ENDPOINT', HUB)}/{repository}/resolve/{hub.revision}/{hub.file}"
        inside = f"{repository.rpartition('/')[2]}{Path(hub.file).suffix}"
        others = (file,) if file and not config.custom_load else ()
        return Entry(
            known, inside, "", licence, url=address, trained_on=trained_on, hub=hub, other_files=others
        )
    digits = DIGITS.search(file)
    return Entry(known, file, digits[1] if digits else "", licence, url=config.url, trained_on=trained_on)


def _config(name: str) -> Any:
    """Return what timm knows about the weights of a network."""
    import timm

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
