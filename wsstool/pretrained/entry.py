"""What is known about a file of pretrained weights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HubFile:
    """A file in a repository of the Hugging Face hub, which may lie in the cache of its programs."""

    repository: str
    file: str
    revision: str


@dataclass(frozen=True)
class Entry:
    """Pretrained weights of one backbone.

    Attributes:
        name: of the backbone, or of the user's choice in an own catalogue.
        file: name of the file in the weights folder.
        sha256: digest of the file, or its first digits, at least 8, where no more is published; '' where
            nothing is.
        licence: of the weights.
        bytes: size of the file; None: not stated.
        url: where ``pull`` gets the file; None: it is part of a Python package.
        package: Python package that contains the file, by the name under which it is imported.
        trained_on: the labels that the weights have seen.
        hub: where the file lies in the hub, if it does.
    """

    name: str
    file: str
    sha256: str
    licence: str
    bytes: int | None = None
    url: str | None = None
    package: str | None = None
    trained_on: str = "ImageNet-1k, image-level labels"
    hub: HubFile | None = None
