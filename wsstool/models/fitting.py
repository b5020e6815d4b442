"""Check that a state dict fits a network, and explain in one sentence if not."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from wsstool.errors import BadInputError


def check_fit(wanted: Mapping[str, tuple[int, ...]], state_dict: Mapping[str, Tensor], source: str) -> None:
    """Compare names and shapes; only the step counters of batch norms may be missing.

    Args:
        wanted: name -> shape of every entry of the network.
        state_dict: entries of the file.
        source: name of the file in the message.

    Raises:
        BadInputError: missing or extra entries, or other shapes; the message names the first of each.
    """
    missing = [k for k in wanted if k not in state_dict and not k.endswith("num_batches_tracked")]
    extra = [k for k in state_dict if k not in wanted]
    shapes = [
        f"{k} is {tuple(state_dict[k].shape)} instead of {tuple(shape)}"
        for k, shape in wanted.items()
        if k in state_dict and tuple(state_dict[k].shape) != tuple(shape)
    ]
    problems = []
    for what, names in (("missing", missing), ("not in the network", extra), ("different shape", shapes)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            problems.append(f"{what}: {', '.join(names[:3])}{more}")
    if problems:
        raise BadInputError(f"{source} does not fit this network; {'; '.join(problems)}")
