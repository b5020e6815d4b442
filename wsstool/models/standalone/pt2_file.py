"""``pt2``: the archive of ``torch.export``, for torch programs in Python and C++."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from wsstool.models.standalone.agreement import Runner
from wsstool.models.standalone.description import PT2
from wsstool.models.standalone.trace import Traced


def write(traced: Traced, path: Path, description: Mapping[str, Any]) -> None:
    """Write the traced network and its description."""
    extra = {PT2: json.dumps(description)}
    torch.export.save(traced.program, path, extra_files=extra)


def runner(path: Path) -> Runner:
    """Open a written network; it runs on the CPU."""
    network = torch.export.load(path).module()

    def run(inputs: Any) -> list[Any]:
        with torch.no_grad():
            return [one.numpy() for one in network(*map(torch.from_numpy, inputs))]

    return run
