"""Labels of whole images from Label Studio: choices, in its JSON and in its JSON-MIN."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wsstool.data.listing import is_image_name
from wsstool.data.names.trailing_paths import path_of_address
from wsstool.errors import BadInputError

_OTHER_FIELDS = (
    "id", "annotation_id", "annotator", "annotators", "created_at", "updated_at", "lead_time", "agreement",
    "inner_id", "project", "file_upload", "meta", "comment_count",
)  # fmt: skip


def choices(results: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the choices among the results of an annotation; those that belong to a region are left out."""
    results = list(results)
    regions = {one.get("id") for one in results if one.get("type") != "choices"}
    chosen = [one for one in results if one.get("type") == "choices" and one.get("id") not in regions]
    names = [str(name).strip() for one in chosen for name in one["value"].get("choices") or ()]
    return tuple(dict.fromkeys(name for name in names if name))


def is_minimal(data: Any) -> bool:
    """Whether a JSON value is Label Studio's JSON-MIN: a list of annotations without their tasks."""
    first = data[0] if isinstance(data, list) and data else None
    return isinstance(first, dict) and "annotation_id" in first and "data" not in first


def minimal_labels(annotations: list[dict[str, Any]], source: str) -> list[tuple[str, ...]]:
    """Return the labels of each annotation of a JSON-MIN file, of the image and of regions.

    A field holds choices if it does so as a list in any annotation. A single choice is a text like any field
    of the task, so without lists there may be only one field of texts.

    Raises:
        BadInputError: several fields may hold the choices.
    """
    listed = {key for one in annotations for key, value in one.items() if _is_listed(value)}
    if not listed:
        texts = {key for one in annotations for key, value in one.items() if _is_text(key, value)}
        if len(texts) > 1:
            raise BadInputError(
                f"{source} does not tell which of its fields is a choice: {', '.join(sorted(texts))}; export "
                "as 'JSON', not as 'JSON-MIN'"
            )
        listed = texts
    return [
        tuple(dict.fromkeys(name for key in one if key in listed for name in _labels(one[key])))
        for one in annotations
    ]


def _is_listed(value: Any) -> bool:
    return bool(_labels(value)) and not isinstance(value, str)


def _is_text(key: str, value: Any) -> bool:
    if not isinstance(value, str) or not value.strip() or key in _OTHER_FIELDS:
        return False
    return not is_image_name(path_of_address(value)) and "://" not in value


def _labels(value: Any) -> list[str]:
    if isinstance(value, str):
        found: list[Any] = [value]
    elif isinstance(value, dict):
        found = value.get("choices") or []
    elif isinstance(value, list):
        regions = [one for one in value if isinstance(one, dict)]
        found = [name for one in regions for key in one if key.endswith("labels") for name in one[key] or ()]
    else:
        found = []
    return [name.strip() for name in found if isinstance(name, str) and name.strip()]
