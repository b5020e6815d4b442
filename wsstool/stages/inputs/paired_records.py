"""Two record files of the same images: checks before they are read side by side."""

from __future__ import annotations

from wsstool.errors import BadInputError
from wsstool.stages.inputs.image_content import content_of, has_same_content
from wsstool.stages.inputs.image_folder import own_folders
from wsstool.store import Header
from wsstool.types import Messages


def check_same_images(
    proposals: Header,
    header: Header,
    source: str | None,
    other: str | None,
    messages: Messages,
    what: str = "maps",
) -> None:
    """Check that a proposal file has every image of another file, with equal size and content.

    Where only one of the files has all images, these are read to compare their content.

    Args:
        proposals: header of the proposal file, which may have more images.
        header: of the other file.
        source, other: the two files as typed; None or empty: standard input.
        messages: receives a warning where the content cannot be compared.
        what: the other file holds of its images, for the message.

    Raises:
        BadInputError: an image is missing, has another size or another content.
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
    is_same = has_same_content(proposals, header, own_folders(proposals.image_root, source))
    if is_same is False:
        raise BadInputError(
            f"'{first}' and '{second}' were made from images of equal names, but of different content"
        )
    if is_same is None and content_of(proposals) and content_of(header):
        messages.warn(
            f"the images that '{first}' was made from are not in '{proposals.image_root}', so that their "
            f"content was not compared with that of the images of '{second}'; names and sizes are equal"
        )
