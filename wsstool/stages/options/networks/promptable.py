"""Options of methods that prompt a segmenter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wsstool.options import Options, Unused, option
from wsstool.stages.options.groups import MODEL, RUNTIME, check_device

WITHOUT_PROMPTS = Unused(lambda o: not o.prompts, "without the method sam")


@dataclass(frozen=True, kw_only=True)
class PromptableNetwork(Options):
    """The network that segments what prompts show."""

    sam_weights: Path | None = option(
        None,
        "folder with a checkpoint of Segment Anything for the package transformers, for the method sam",
        panel=MODEL,
        metavar="FOLDER",
        key=False,
        unused=WITHOUT_PROMPTS,
    )
    device: str = option(
        "auto",
        "device of the network: auto, cpu, cuda, cuda:N or mps",
        panel=RUNTIME,
        env="WSSTOOL_DEVICE",
        key=False,
        unused=WITHOUT_PROMPTS,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_device(self.device)

    @property
    def prompts(self) -> bool:
        """Whether the chosen method prompts a segmenter."""
        return False
