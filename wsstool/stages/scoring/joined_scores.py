"""The scores of objects that other runs of ``eval`` have measured, part for part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wsstool.stages.scoring.instances import require_instances, summarise_instances
from wsstool.stages.scoring.object_score_file import (
    InstanceCounts,
    ProposalCounts,
    read_objects,
    write_objects,
)
from wsstool.stages.scoring.proposals import require_proposals, summarise_proposals
from wsstool.types import Messages


def score_joined(
    paths: Sequence[str],
    contents: Sequence[dict[str, Any]],
    kind: str,
    *,
    fail_under: tuple[str, float] | None,
    output: Path | None,
    messages: Messages,
    **options: Any,
) -> dict[str, Any]:
    """What one pass over all images would say.

    Args:
        paths: score files of one kind.
        contents: what they hold, see ``load_alike``.
        kind: ``selection`` or ``proposal``.
        fail_under: metric and least value.
        output: score file to write, of all images.
        messages: where warnings go.
        options: of ``summarise_instances``.

    Raises:
        BadInputError: damaged, an image twice, other classes than the first, or some without ``--ap``.
        BelowThresholdError: see ``fail_under``; its ``summary`` is what would be returned.
    """
    found: InstanceCounts | ProposalCounts
    if kind == "proposal":
        found = read_objects(paths, contents, ProposalCounts)
        summary, require = summarise_proposals(found, messages=messages), require_proposals
    else:
        found = read_objects(paths, contents, InstanceCounts)
        summary, require = summarise_instances(found, messages=messages, **options), require_instances
    if output is not None:
        write_objects(Path(output), found, summary)
    if fail_under is not None:
        require(summary, *fail_under)
    return summary
