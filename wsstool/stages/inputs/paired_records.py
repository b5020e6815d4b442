"""Two record files of the same images: checks before they are read side by side."""

from __future__ import annotations

from wsstool.errors import BadInputError
from wsstool.store import Header


def check_same_images(
    proposals: Header, header: Header, source: str | None, other: str | None, what: str = "maps"
) -> None:
    """Check that a proposal file has every image of another file, with equal size and content.

    Args:
        proposals: header of the proposal file, which may have more images.
        header: of the other file.
        source, other: the two files as typed; None or empty: standard input.
        what: the other file holds of its images, for the message.

    Raises:
        BadInputError: an image is missing, has another size, or both files were made from the same list of
            images with different content.
    """
    first, second = source or "stdin", other or "stdin"
    theirs = dict(zip(proposals.images, proposals.sizes.tolist(), strict=True))
    for name, size in zip(header.images, header.sizes.tolist(), strict=True):
        if name not in theirs:
            raise BadInputError(
                f"'{first}' has no proposals for '{name}'; it may have been made from other images"
            )
        if any(size) and any(theirs[name]) and theirs[name] != size:
            raise BadInputError(
                f"the proposals of '{name}' have {theirs[name][1]} x {theirs[name][0]} pixels, but its "
                f"{what} have {size[1]} x {size[0]}"
            )
    one, two = content_of(proposals), content_of(header)
    if one and two and one != two and proposals.images == header.images:
        raise BadInputError(
            f"'{first}' and '{second}' were made from images of equal names, but of different content"
        )


def content_of(header: Header) -> str | None:
    """Return the fingerprint of the images of a file; None where it does not have that of their content."""
    found = {given["role"]: given.get("fingerprint", "") for given in header.inputs}
    is_of_pixels = len(found) == len(header.inputs) and "import" not in found  # which reads none
    return found["data"] if "data" in found and is_of_pixels and ":" not in found["data"] else None
