"""Name annotation files of formats that are not read, so that messages call them what they are."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

WHAT_IS_READ = "COCO, CVAT for images 1.1, Label Studio (JSON) or LabelMe"

_STARTS = {
    b"\x89HDF": "an HDF5 file",
    b"MATLAB": "a MATLAB file",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"II*\x00": "a TIFF image",
    b"MM\x00*": "a TIFF image",
    b"\x1f\x8b": "a gzip file",
    b"%PDF": "a PDF file",
    b"\x80": "a Python pickle",
    b"#": "a text file",
}
_XML = {
    "annotations": "a CVAT file",
    "annotation": "a Pascal VOC annotation",
    "Annotations": "an Aperio ImageScope annotation",
    "ASAP_Annotations": "an ASAP annotation",
    "dataset": "a dlib annotation",
    "svg": "an SVG drawing",
}


def called_xml(root: Element) -> str:
    """Return what an XML file is, as far as its root tells.

    >>> called_xml(Element("ASAP_Annotations"))
    'an ASAP annotation'
    """
    if root.tag == "annotation" and root.find("object/polygon") is not None:
        return "a LabelMe annotation"
    return _XML.get(root.tag, f"XML of another kind (its root element is <{root.tag}>)")


def called_json(data: Any) -> str | None:
    """Return what a JSON value is if it is of a known program that is not read here, else None.

    >>> called_json({"type": "FeatureCollection", "features": []})
    'a GeoJSON file, as QuPath writes it'
    """
    first = data[0] if isinstance(data, list) and data else data
    if not isinstance(first, dict):
        return None
    keys = set(first)
    values = [value for value in first.values() if isinstance(value, dict)]
    if first.get("type") in ("FeatureCollection", "Feature") and keys & {"features", "geometry"}:
        return "a GeoJSON file, as QuPath writes it"
    if "_via_img_metadata" in keys or "_via_settings" in keys or {"filename", "regions"} <= keys:
        return "a file of the VGG Image Annotator (VIA)"
    if values and len(values) == len(first) and all({"filename", "regions"} <= set(one) for one in values):
        return "a file of the VGG Image Annotator (VIA)"
    if {"objects", "size"} <= keys:
        return "a Supervisely annotation"
    if {"items", "categories"} <= keys:
        return "a Datumaro file"
    if "data_row" in keys or "Labeled Data" in keys:
        return "a Labelbox export"
    if {"image", "annotations"} <= keys and isinstance(data, list):
        return "a CreateML file"
    if any(isinstance(one, dict) and "segments_info" in one for one in _list(first.get("annotations"))):
        return "a COCO panoptic file"
    return None


def called_bytes(content: bytes) -> str | None:
    """Return what a file that is neither JSON nor XML is, as far as its first bytes tell."""
    return next((what for start, what in _STARTS.items() if content.startswith(start)), None)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
