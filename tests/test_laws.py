"""The laws of the code base: who may import whom, what loads on import, names, length, sources."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wsstool import registry
from wsstool.registry import Registry

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "wsstool").rglob("*.py"))
OUR_FILES = MODULES + sorted(
    p for folder in ("tests", "benchmarks", "examples") for p in (ROOT / folder).rglob("*.py")
)

# A family -> the other families that it may import.
FAMILIES: dict[str, set[str]] = {
    "cams": {"models"},
    "data": set(),
    "masks": set(),
    "metrics": set(),
    "models": set(),
    "nms": set(),
    "proposals": set(),
    "report": set(),
    "selection": set(),
    "training": {"models", "data"},
}
LONGER = {"wsstool/store/reader.py", "wsstool/store/writer.py"}  # up to 400 lines; a list that only shrinks
# A foreign package -> the only places that may import it.
ONLY_UNDER = {"h5py": "wsstool.store", "typer": "wsstool.cli", "rich": "wsstool.cli"}
REGISTRIES = [value for value in vars(registry).values() if isinstance(value, Registry)]
METHODS = [(r, name) for r in REGISTRIES for name in r]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """Absolute names of all that a file imports, at whatever depth."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield start
            yield from (f"{start}.{alias.name}" for alias in node.names)


def below(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=relative)
class TestImports:
    def test_families_stay_apart(self, path):
        family = [*module_name(path).split("."), ""][1]
        if family in FAMILIES:
            closed = (set(FAMILIES) | {"stages", "store", "cli", "recipes"}) - FAMILIES[family] - {family}
            wrong = {n for n in imports(path) for other in closed if below(n, f"wsstool.{other}")}
            assert not wrong, f"{family} must not import {wrong}"

    def test_the_foundation_knows_nothing_above_it(self, path):
        name = module_name(path)
        if below(name, "wsstool.store") or re.fullmatch(r"wsstool\.(errors|types|runtime|registry)", name):
            wrong = {n for n in imports(path) for f in [*FAMILIES, "stages"] if below(n, f"wsstool.{f}")}
            assert not wrong

    def test_nothing_imports_the_command_line(self, path):
        name = module_name(path)
        if not below(name, "wsstool.cli") and name != "wsstool.__main__":
            assert not {n for n in imports(path) if below(n, "wsstool.cli")}

    def test_foreign_packages_stay_where_they_belong(self, path):
        for foreign, place in ONLY_UNDER.items():
            if not below(module_name(path), place):
                assert not {n for n in imports(path) if below(n, foreign)}, f"{foreign} only under {place}"

    def test_commands_import_stages_when_they_run(self, path):
        if below(module_name(path), "wsstool.cli"):
            tree = ast.parse(path.read_text("utf-8"))
            at_once = [n for n in tree.body if isinstance(n, ast.ImportFrom | ast.Import)]
            names = {a.name for n in at_once for a in n.names} | {
                getattr(n, "module", None) or "" for n in at_once
            }
            assert not {n for n in names if below(n, "wsstool.stages")}


def loaded_after(*modules: str) -> set[str]:
    """Top-level packages in memory after a fresh process imported ``modules``."""
    code = "import sys, importlib\n" + "".join(f"importlib.import_module({m!r})\n" for m in modules)
    code += "print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_command_line_loads_nothing_heavy():
    heavy = {"torch", "torchvision", "skimage", "h5py", "scipy", "numpy", "PIL", "matplotlib"}
    assert not loaded_after("wsstool.cli.app") & heavy


def test_store_and_data_load_no_torch():
    names = [module_name(p) for p in MODULES]
    light = [n for n in names if below(n, "wsstool.store") or below(n, "wsstool.data")]
    light.remove("wsstool.data.transforms") if "wsstool.data.transforms" in light else None
    assert not loaded_after(*light) & {"torch", "torchvision"}


@pytest.mark.parametrize("path", OUR_FILES, ids=relative)
class TestFiles:
    def test_one_idea_a_file(self, path):
        assert len(path.read_text("utf-8").splitlines()) <= (400 if relative(path) in LONGER else 350)

    def test_names_say_what_things_are(self, path):
        vague = {"util", "utils", "helper", "helpers", "misc", "flag", "tmp", "stuff"}
        tree = ast.parse(path.read_text("utf-8"))
        kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        named = {n.name for n in ast.walk(tree) if isinstance(n, kinds)} | set(
            Path(relative(path)).with_suffix("").parts
        )
        words = {w.lower() for name in named for w in re.findall(r"[A-Z]?[a-z]+", name)}
        assert not words & vague

    def test_finished(self, path):
        if path != Path(__file__):
            text = path.read_text("utf-8")
            assert not re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", text)

    def test_says_its_idea_first(self, path):
        text = path.read_text("utf-8")
        if text.strip():
            assert ast.get_docstring(ast.parse(text)), "a file begins with a docstring that says its idea"


@pytest.mark.parametrize(("r", "name"), METHODS, ids=[f"{r.family}-{n}" for r, n in METHODS])
class TestMethods:
    def test_loads_and_says_where_it_comes_from(self, r, name):
        method = r.load(name)
        assert callable(method)
        text = inspect.getdoc(method) or ""
        assert "Source:" in text, "the docstring of a method names its paper, and how it was written"

    def test_options_can_be_set_from_the_command_line(self, r, name):
        for option, parameter in r.own_options(name).items():
            kind = parameter.annotation
            assert parameter.default is not parameter.empty, f"{option} has no default"
            assert kind in (float, int, str, bool, "float", "int", "str", "bool"), f"{option}: {kind}"

    def test_entry_is_complete(self, r, name):
        entry = r.entries()[name]
        assert entry.paper and entry.cost and re.fullmatch(r"[a-z0-9+-]+", name)
