"""Messages that a test looks at."""

from wsstool.types import Silent


class Heard(Silent):
    """Keeps what a stage says and warns of, apart and, in ``lines``, in order."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)
        self.lines.append(text)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)
