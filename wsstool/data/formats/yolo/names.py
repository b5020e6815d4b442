"""The description beside YOLO labels: class names by number, and whether its lines are poses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from wsstool.annotation_file import is_found, regular
from wsstool.data.classlist import read_class_list
from wsstool.data.names.trailing_paths import path_parts
from wsstool.errors import BadInputError

NAME_LISTS = ("classes.txt", "obj.names", "_darknet.labels")
_YAMLS = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml")
_MOST_CLASSES = 65535


@dataclass(frozen=True)
class YoloDescription:
    """What stands beside the labels.

    Args:
        source: the file with the names; None: there is none.
        names: class number -> name.
        background: number of a background that a list of names has, which labels may or may not count.
        keypoints: number of keypoints per object and of numbers per keypoint; None: not stated.
        task: such as ``segment`` or ``pose``; empty: not stated.
        folders: names of the folders in which it says that the images of the splits are.
    """

    source: Path | None = None
    names: dict[int, str] | None = None
    background: int = -1
    keypoints: tuple[int, int] | None = None
    task: str = ""
    folders: frozenset[str] = frozenset()

    def numbered(self, used: Sequence[int]) -> tuple[dict[int, str], list[str]]:
        """Return class number -> name, as far as it is known, and notes.

        A list that begins with a background is made for masks, and labels count its other classes from 0;
        unless one of their numbers needs the whole list.

        Args:
            used: the class numbers of the labels.
        """
        names = dict(self.names or {})
        if self.background < 0 or max(used, default=-1) >= len(names) - 1:
            return names, []
        names = dict(enumerate(name for k, name in sorted(names.items()) if k != self.background))
        first = f"0 is '{names[0]}'" if names else "it has no other class"
        return names, [
            f"class numbers count the names of {str(self.source)!r} without the background: {first}"
        ]


def read_description(folder: Path) -> YoloDescription:
    """Return the description of a folder of labels.

    It is looked for in the folder, above it, and two levels above, where the exports of Roboflow have it:
    there only as ``data.yaml`` or the like that speaks of these folders.

    Raises:
        BadInputError: a file of names that cannot be read, or several that differ.
    """
    for place in (folder, folder.parent):
        described = _of_yaml(place, any_name=True)
        if described.names is None:
            described = _of_list(place) or described
        if described.names is not None or described.keypoints is not None:
            return described
    above = _of_yaml(folder.parent.parent, any_name=False)
    return above if above.folders & {folder.name, folder.parent.name} else YoloDescription()


def _of_list(place: Path) -> YoloDescription | None:
    path = next((place / name for name in NAME_LISTS if is_found(place / name)), None)
    if path is None:
        return None
    classes = read_class_list(path)
    return YoloDescription(path, dict(enumerate(classes.names)), classes.background)


def _of_yaml(place: Path, *, any_name: bool) -> YoloDescription:
    """Return the description in the only YAML file of a folder that has names."""
    usual = [place / name for name in _YAMLS if is_found(place / name)]
    found = [_description(path) for path in usual]
    if any_name and not any(one.names for one in found):
        for path in sorted([*place.glob("*.yaml"), *place.glob("*.yml")]):
            try:
                found += [_description(path)] if path not in usual and path.is_file() else []
            except BadInputError:
                continue  # of another program
    named = [one for one in found if one.names is not None] or [one for one in found if one.keypoints]
    for other in named[1:]:
        if (other.names, other.keypoints) != (named[0].names, named[0].keypoints):
            raise BadInputError(
                f"'{named[0].source}' and '{other.source}' describe different classes; leave only one there"
            )
    return named[0] if named else YoloDescription()


def _description(path: Path) -> YoloDescription:
    """Parse such a file; ``names`` is a list, a mapping from numbers to names, or a file of names.

    Raises:
        BadInputError: no YAML, or an entry of another form.
    """
    what = f"YOLO description {str(path)!r}"
    try:
        content = regular(path).read_bytes()
        # Texts stay as they are written: a class called "no" is not False. No tag makes an object.
        data = yaml.load(content, yaml.BaseLoader)
        root = yaml.compose(content, yaml.BaseLoader)
    except (OSError, yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadInputError(f"{what} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        return YoloDescription()
    names = data.get("names")
    if isinstance(names, str):
        listed = path.parent / names
        names = list(read_class_list(listed).names) if names and listed.is_file() else None
    return YoloDescription(
        path,
        _names(names, _keys(root), what) or None,
        keypoints=_keypoints(data, what),
        task=str(data.get("task") or ""),
        folders=_folders(data),
    )


def _keys(root: Any) -> list[str]:
    """Return the keys of the mapping ``names`` as they are written; some may occur twice."""
    nodes = [value for key, value in root.value if key.value == "names"]
    return [key.value for node in nodes if isinstance(node, yaml.MappingNode) for key, _ in node.value]


def _names(names: Any, keys: Iterable[str], what: str) -> dict[int, str]:
    if not names:
        return {}
    if isinstance(names, list):
        names = dict(enumerate(names))
    try:
        found = {int(number): name for number, name in names.items()}
        written = [int(key) for key in keys]
    except ValueError:
        found, written = {-1: ""}, []
    if not all(0 <= k < _MOST_CLASSES and isinstance(name, str) for k, name in found.items()):
        raise BadInputError(f"{what}: 'names' must be a list, or have 'NUMBER: NAME' per class")
    if len(set(written)) < len(written):
        raise BadInputError(f"{what}: 'names' has a number twice")
    return {number: name for number, name in found.items() if name.strip()}


def _folders(data: dict[str, Any]) -> frozenset[str]:
    values = [data.get(split) for split in ("train", "val", "valid", "test")]
    paths = [one for value in values for one in (value if isinstance(value, list) else [value])]
    return frozenset(part for path in paths if isinstance(path, str) for part in path_parts(path))


def _keypoints(data: dict[str, Any], what: str) -> tuple[int, int] | None:
    stated = data.get("kpt_shape")
    if not stated:
        return None
    try:
        count, numbers = (int(value) for value in stated)
    except (TypeError, ValueError):
        count = numbers = 0
    if count < 1 or numbers not in (2, 3):
        raise BadInputError(f"{what}: 'kpt_shape' must be the number of keypoints, and 2 or 3")
    return count, numbers
