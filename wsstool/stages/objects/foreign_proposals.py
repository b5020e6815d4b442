"""Proposals of another program, by image: COCO results, SAM's output, MCG's files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wsstool.data.dataset import Dataset
from wsstool.data.formats import mcg
from wsstool.data.formats.detections import coco_masks
from wsstool.data.geometry.shapes import shape_mask
from wsstool.data.listing import Lookup, without_suffix
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.proposals.masks import from_masks, from_sets
from wsstool.regions import Proposals
from wsstool.store.matfile import read_mat73

ReadProposals = Callable[[tuple[int, int]], tuple[Proposals, int]]
"""Size of the image -> its proposals, and how many did not fit."""


def find_proposals(path: Path, dataset: Dataset) -> dict[int, ReadProposals]:
    """Find the proposals of each image; they are read on demand.

    Args:
        path: a JSON file or a ``.mat`` file, which is named after its image, or a folder of such files.
        dataset: the images to use; proposals of others in the same folder are skipped.

    Raises:
        MissingInputError: there is no such file, or nothing in the folder.
        BadInputError: a file that cannot be read, or proposals of an image that the data folder lacks.
        UsageError: a file of neither kind.
    """
    everything = dataset.images_of_folder()
    is_part = dataset.name_list is not None
    lookup = Lookup(everything, dataset.root if is_part else None)
    wanted = {name: i for i, name in enumerate(dataset.names)}
    results: dict[int, list[coco_masks.MaskResult]] = defaultdict(list)
    found: dict[int, ReadProposals] = {}
    numbers: dict[int, str] | None = None
    for file in proposal_files(path):
        if file.suffix.lower() == ".mat":
            i = _place(lookup, file.stem, f"'{file}'", everything, wanted, is_part)
            if i is not None:
                found[i] = partial(_of_mat, file)
            continue
        for one in coco_masks.read(file):
            name = one.image
            if isinstance(name, int):
                numbers = _numbers(dataset.root) if numbers is None else numbers
                name = numbers.get(name) or _by_number(name, everything) or str(name)
            i = _place(lookup, name, one.source, everything, wanted, is_part)
            if i is not None:
                results[i].append(one)
    return found | {i: partial(_of_results, ones) for i, ones in results.items()}


def proposal_files(path: Path) -> list[Path]:
    """Return the files that ``--import`` names."""
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in (".json", ".mat"))
        if not found:
            raise MissingInputError(f"there is no .json or .mat file in '{path}'")
        return found
    if not path.is_file():
        raise MissingInputError(f"there is no file '{path}'")
    if path.suffix.lower() not in (".json", ".mat"):
        raise UsageError(f"--import {path}: name a .json file, a .mat file or a folder of such files")
    return [path]


def _place(
    lookup: Lookup,
    name: str,
    source: str,
    everything: tuple[str, ...],
    wanted: dict[str, int],
    is_part: bool,
) -> int | None:
    at = lookup.find(name, source)
    if at is None:
        at = lookup.find(without_suffix(name), source)  # the same image in another format
    if at is None and is_part:
        return None
    if at is None:
        raise BadInputError(f"{source} refers to the image '{name}', which is not in the data folder")
    return wanted.get(everything[at])


def _numbers(root: Path) -> dict[int, str]:
    """Image id -> name, of the COCO files of the data folder."""
    paths = [root / "boxes.json", *root.glob("instances*.json"), *root.glob("annotations/instances*.json")]
    found: dict[int, str] = {}
    for path in sorted(p for p in paths if p.is_file()):
        found |= coco_masks.image_numbers(path)
    return found


def _by_number(number: int, names: tuple[str, ...]) -> str | None:
    """The image whose name is the number, zeros aside, as COCO's are."""
    fitting = [n for n in names if (stem := Path(n).stem).isdecimal() and int(stem) == number]
    return fitting[0] if len(fitting) == 1 else None


def _of_results(results: list[coco_masks.MaskResult], size: tuple[int, int]) -> tuple[Proposals, int]:
    masks = []
    for one in sorted(results, key=lambda one: -one.score):
        try:
            masks.append(shape_mask(one.shape, size))
        except BadInputError as error:
            raise BadInputError(f"{one.source}: {error}") from None
    return from_masks(size, masks)


def _of_mat(path: Path, size: tuple[int, int]) -> tuple[Proposals, int]:
    found: dict[str, Any] | None = mcg.read(path)
    if found is None:
        found = read_mat73(path, mcg.WANTED)
    return from_sets(*mcg.sets(found, f"'{path}'", size))


def no_proposals(size: tuple[int, int]) -> tuple[Proposals, int]:
    """One superpixel and no proposal, for an image that the import does not name."""
    return Proposals(np.zeros(size, np.uint16), np.zeros((0, 3), np.uint16)), 0
