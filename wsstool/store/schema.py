"""Contents of each kind of file. The file-format page is generated from this module."""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA = 2
"""The newest version, and the largest that is read. A file states the first version that has all it holds."""
FIRST_SCHEMA = 1
SENTENCE_SCHEMA = 2
"""Of files with a column ``sentence``: to readers of version 1, each of their entries would be an object."""

#: Head columns of every kind: name -> (dtype, index, meaning). 'S' is fixed-length UTF-8.
COMMON_HEAD = {
    "image": ("S", "image", "path relative to the data folder, sorted"),
    "size": ("int32", "image x 2", "rows, columns after EXIF rotation; (0, 0): the header could not be read"),
    "offset": ("int64", "image + 1", "first payload element of each image, and the end of the last"),
    "shape": ("int32", "image x 3", "shape of the record"),
    "label": ("uint8", "image x class", "optional; image-level labels, the background's column is 0"),
}
#: Tail columns of every kind, before the CRC.
NUMBER_ATTRIBUTES = {"background_threshold"}
"""Attributes that hold numbers, and not JSON as those of ``Kind.attributes`` do: written and read alike."""

COMMON_TAIL = {"status": ("uint8", "image", "1 done, 2 failed")}
#: Attributes that only a shard has.
OF_A_SHARD = ("background_thresholds",)
#: Status of a computed record.
DONE = 1
#: Fills unused rows of images with fewer proposals, and failed records.
PADDING = 65535


@dataclass(frozen=True)
class Kind:
    """One kind of file, named after its payload.

    ``head`` and ``tail`` map a column to (dtype, index, meaning). The index says what a row represents:
    ``image``, ``layer`` (one per image and layer), ``map`` (``map_offset``), ``box`` (``box_offset``).
    """

    payload: str
    dtypes: tuple[str, ...]
    record: str
    made_by: str
    head: dict[str, tuple[str, str, str]]
    tail: dict[str, tuple[str, str, str]]
    attributes: dict[str, str]
    failed: float | None  #: fill value of a failed record; None: it has no rows
    optional: tuple[str, ...] = ()  #: head columns that a file has all of, or none


_BOXES = {
    "box_offset": ("int64", "image + 1", "first box of each image, and the end of the last"),
    "box": ("float32", "box x 4", "xyxy in pixels; NaN: a sentence whose object has no box"),
    "box_class": ("uint16", "box", "class id"),
    "box_id": ("int64", "box", "id in the annotation file; sentences about one object share it"),
}
_SENTENCE = {"sentence": ("S", "box", "optional, schema 2; the sentence that names the object")}
_WINDOWS = {
    **_BOXES,
    "window": ("int32", "box x 4", "xyxy of the crop that the record's window covers"),
    **_SENTENCE,
}

KINDS: dict[str, Kind] = {
    kind.payload: kind
    for kind in (
        Kind(
            "cam",
            ("float16", "float32"),
            "L blocks of (K, h, w), each divided by its largest magnitude (tail column scale)",
            "wsstool cam",
            {
                "layer_size": ("int32", "layer x 2", "rows, columns of the maps of each layer"),
                "map_offset": ("int64", "image + 1", "first map of each image, and the end of the last"),
                "map_class": ("uint16", "map", "class id of each map"),
            },
            {
                "scale": ("float32", "layer", "divisor of each block"),
                "score": ("float32", "map", "score of the class in the image, 0 to 1"),
            },
            {
                "layers": "names of the layers",
                "values": "optional; `probability`: in [0, 1], not divided (scale 1)",
                "background_thresholds": "optional, of a shard; per normalisation, the threshold of each "
                "layer that `--background-threshold auto` chooses for the whole data set",
            },
            float("nan"),
        ),
        Kind(
            "mask",
            ("uint8",),
            "(L, H, W) label maps, 255 = ignore. With sentences, which bring the box columns: one mask per "
            "sentence, 1 object, 0 not, 255 uncertain",
            "wsstool pseudo-mask",
            {**_BOXES, **_SENTENCE},
            {},
            {"layers": "names; `sentences` where each map is that of a sentence"},
            255,
            (*_BOXES, *_SENTENCE),
        ),
        Kind(
            "contour",
            ("float16",),
            "the maps of the windows, concatenated",
            "wsstool contour",
            _WINDOWS,
            {"score": ("float32", "box", "quality of each map")},
            {},
            float("nan"),
            tuple(_SENTENCE),
        ),
        Kind(
            "selection",
            ("uint8",),
            "the masks of the windows, concatenated: 1 object, 0 not, 255 uncertain",
            "wsstool select",
            _WINDOWS,
            {
                "score": ("float32", "box", "quality of each mask"),
                "fallback": ("uint8", "box", "1: made by a fallback"),
            },
            {"threshold": "optional; the map value that `--threshold auto` chose"},
            255,
            tuple(_SENTENCE),
        ),
        Kind(
            "proposal",
            ("uint16",),
            "superpixel map (H, W), then P rows (left, right, is_proposal), best first; 65535 = padding",
            "wsstool propose",
            {},
            {},
            {"max_proposals": "P"},
            65535,
        ),
        Kind(
            "box",
            ("float32",),
            "(R, F) rows",
            "wsstool nms",
            {},
            {},
            {"columns": "names of the F columns"},
            None,
        ),
        Kind(
            "score",
            ("int32", "float32"),
            "(M, K, F) for M conditions. measure 'class': the id of the best class (K = F = 1); 'scores': "
            "the score of each class but the background, 0 to 1 (F = 1); 'pixels': correct, predicted and "
            "ground-truth pixels of each class (F = 3)",
            "wsstool robustness",
            {},
            {},
            {
                "conditions": "corruption and severity of each, such as 'fog 3'; 'clean 0' is the first",
                "measure": "class, scores or pixels",
            },
            -1,
        ),
    )
}
