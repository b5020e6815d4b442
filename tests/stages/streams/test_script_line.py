"""Commands of a history go into a script only as wsstool writes them."""

import shlex
import subprocess

import pytest

from wsstool.errors import BadInputError
from wsstool.store.command_line import command_line, script_line

KEY = "0123456789abcdef" * 2
NAMES = [
    "data",
    "my data",
    "it's",
    "a\nb",
    "x\x1b]0;t\x07",
    "ü",
    "$(touch pwned)",
    "a\\nb'\n",
    "`id`",
    "\x9b",
]


def step(command: str, stage: str = "cam", key: str = KEY) -> dict[str, str]:
    return {"stage": stage, "key": key, "command": command}


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_command_is_run_as_it_was(name):
    recorded = command_line("cam", {"scale": [1.0], "labels": name}, [{"role": "data", "path": name}], KEY)
    line = script_line(step(recorded), "c.h5")
    assert line.isprintable()
    found = subprocess.run(
        ["bash", "-c", line.replace("wsstool", "printf '%s\\0'", 1)], capture_output=True, check=True
    )
    assert found.stdout.decode().split("\0")[:-1] == shlex.split(recorded)[1:]


@pytest.mark.parametrize(
    "command",
    [
        "touch pwned",
        f"wsstool cam x\ntouch pwned; # -o {KEY[:12]}.h5",
        f"wsstool cam x; touch pwned -o {KEY[:12]}.h5",
        f"wsstool cam $(touch pwned) -o {KEY[:12]}.h5",
        f"wsstool sample -o {KEY[:12]}.h5",
        "wsstool cam data -o /home/user/thesis.h5",
        f"wsstool cam data --force -o {KEY[:12]}.h5",
        f"wsstool cam data --output=/etc/passwd -o {KEY[:12]}.h5",
        "wsstool cam 'open quote",
        "",
        "wsstool",
    ],
)
def test_anything_else_is_refused(command):
    with pytest.raises(BadInputError, match=r"'c\.h5' holds a command that wsstool did not write"):
        script_line(step(command), "c.h5")


def test_a_key_is_no_path():
    with pytest.raises(BadInputError):
        script_line(step("wsstool cam d -o ../../../a.h5", key="../../../a"), "c.h5")
