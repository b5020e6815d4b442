"""The laws of the code base: who may import whom, what loads on import, names, length, sources."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from wsstool import registry
from wsstool.family import TUPLES, Registry

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "wsstool").rglob("*.py"))
OUR_FILES = MODULES + sorted(
    p for folder in ("tests", "benchmarks", "examples") for p in (ROOT / folder).rglob("*.py")
)

# A family -> the other families that it may import.
FAMILIES: dict[str, set[str]] = {
    "cams": {"models"},
    "corruptions": set(),
    "data": set(),
    "expressions": set(),
    "masks": set(),
    "metrics": set(),
    "models": set(),
    "nms": {"data"},
    "proposals": set(),
    "report": set(),
    "selection": set(),
    "training": {"models", "data", "metrics"},
}
LONGER: set[str] = set()  # up to 400 lines; a list that only shrinks
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
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield start
            yield from (f"{start}.{alias.name}" for alias in node.names)


@cache
def text(path: Path) -> str:
    return path.read_text("utf-8")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(text(path))


def below(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def wrong(forbidden: Callable[[str, str], bool], paths: Sequence[Path] = tuple(MODULES)) -> list[str]:
    """``file imports name`` for each import that ``forbidden(importing module, imported name)`` names."""
    found = {(relative(p), n) for p in paths for n in imports(p) if forbidden(module_name(p), n)}
    return [f"{path} imports {name}" for path, name in sorted(found)]


class TestImports:
    def test_families_stay_apart(self):
        closed = {
            family: (set(FAMILIES) | {"stages", "store", "cli", "recipes"}) - allowed - {family}
            for family, allowed in FAMILIES.items()
        }

        def forbidden(module: str, name: str) -> bool:
            family = [*module.split("."), ""][1]
            return any(below(name, f"wsstool.{other}") for other in closed.get(family, ()))

        assert not wrong(forbidden)

    def test_the_foundation_knows_nothing_above_it(self):
        above = [f"wsstool.{one}" for one in [*FAMILIES, "stages"]]
        foundation = re.compile(
            r"wsstool\.(store(\..*)?|errors|annotation_file|types|regions|prompts(\..*)?|image_size|runtime|wait_policy|registry|registries(\..*)?|family)"
        )
        assert not wrong(lambda m, n: bool(foundation.fullmatch(m)) and any(below(n, a) for a in above))

    def test_nothing_imports_the_command_line(self):
        outside = [p for p in MODULES if p.name != "__main__.py"]
        assert not wrong(lambda m, n: below(n, "wsstool.cli") and not below(m, "wsstool.cli"), outside)

    @pytest.mark.parametrize(("foreign", "place"), ONLY_UNDER.items())
    def test_foreign_packages_stay_where_they_belong(self, foreign, place):
        assert not wrong(lambda m, n: below(n, foreign) and not below(m, place))

    def test_no_module_imports_itself_in_a_circle(self):
        TopologicalSorter(module_graph()).prepare()  # raises CycleError, which names the circle

    def test_folders_import_each_other_one_way(self):
        packages = [module_name(p) for p in MODULES if p.name == "__init__.py"]
        for package in packages:
            TopologicalSorter(part_graph(package)).prepare()

    def test_commands_import_stages_when_they_run(self):
        modules = [module_name(p) for p in MODULES]
        commands = [n for n in modules if below(n, "wsstool.cli")]
        loaded = [n for n in loaded_after(*commands, depth=3) if n.startswith("wsstool.stages.")]
        assert loaded == ["wsstool.stages.options"]


@cache
def module_graph() -> dict[str, set[str]]:
    """Module -> the modules of this package that it imports, at whatever depth."""
    known = {module_name(p) for p in MODULES}
    graph = {}
    for path in MODULES:
        found = {n for n in imports(path) if n in known and n != module_name(path)}
        # ``from a import b`` names both a and a.b; where b is a module, a itself is not what is used.
        graph[module_name(path)] = {n for n in found if not any(m.startswith(n + ".") for m in found)}
    return graph


def part_graph(package: str) -> dict[str, set[str]]:
    """Part of a package (a module or a folder) -> the other parts that it imports."""
    graph: dict[str, set[str]] = {}
    for module, imported in module_graph().items():
        for name in imported:
            if module.startswith(package + ".") and name.startswith(package + "."):
                part, other = (n.removeprefix(package + ".").split(".")[0] for n in (module, name))
                if part != other:
                    graph.setdefault(part, set()).add(other)
    return graph


def loaded_after(*modules: str, depth: int = 2) -> set[str]:
    """Packages in memory (``a`` and ``a.b``) after a fresh process imported ``modules``."""
    code = "import sys, importlib\n" + "".join(f"importlib.import_module({m!r})\n" for m in modules)
    code += f"print(*{{'.'.join(name.split('.')[:{depth}]) for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_command_line_loads_nothing_heavy():
    heavy = {"torch", "torchvision", "skimage", "h5py", "scipy", "numpy", "PIL", "matplotlib"}
    commands = [n for n in map(module_name, MODULES) if below(n, "wsstool.cli")]
    assert not loaded_after(*commands) & heavy


def test_stages_load_no_torchvision():
    """It brings torch's compiler along: as long as torch itself, for commands that often end at once."""
    stages = [n for n in map(module_name, MODULES) if below(n, "wsstool.stages")]
    assert not loaded_after(*stages) & {"torchvision", "torch._dynamo", "torch._inductor"}


def test_store_and_data_load_no_torch():
    names = [module_name(p) for p in MODULES]
    light = [n for n in names if below(n, "wsstool.store") or below(n, "wsstool.data")]
    assert not loaded_after(*(n for n in light if n != "wsstool.data.augmentation.transforms")) & {
        "torch",
        "torchvision",
    }


class TestFiles:
    def test_one_idea_a_file(self):
        lengths = {relative(p): len(text(p).splitlines()) for p in OUR_FILES}
        assert not {p: n for p, n in lengths.items() if n > (400 if p in LONGER else 350)}

    def test_few_files_per_folder(self):
        folders = Counter(relative(p.parent) for p in OUR_FILES)
        assert not {folder: n for folder, n in folders.items() if n > 16}

    def test_names_say_what_things_are(self):
        vague = {"util", "utils", "helper", "helpers", "misc", "flag", "tmp", "stuff"}
        kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        named = {(relative(p), n.name) for p in OUR_FILES for n in ast.walk(tree(p)) if isinstance(n, kinds)}
        named |= {
            (relative(p), part) for p in OUR_FILES for part in p.relative_to(ROOT).with_suffix("").parts
        }
        assert not {one for one in named if vague & {w.lower() for w in re.findall(r"[A-Z]?[a-z]+", one[1])}}

    def test_finished(self):
        unfinished = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
        assert not [relative(p) for p in OUR_FILES if p != Path(__file__) and unfinished.search(text(p))]

    def test_says_its_idea_first(self):
        assert not [relative(p) for p in OUR_FILES if text(p).strip() and not ast.get_docstring(tree(p))]

    def test_paragraphs_of_docstrings_are_filled(self):
        """No short line between two long ones: the trace of an edit that did not wrap the paragraph again."""
        found = []
        for path in OUR_FILES:
            lines = [line.strip() for line in text(path).splitlines()]
            for span in docstrings(path):
                for before, line, after in zip(*(lines[i:j] for i, j in span), strict=False):
                    short = 0 < len(line) < 35 and not line.startswith(">>>") and line[-1] not in ".:;`])"
                    if short and len(before) > 75 and len(after) > 50:
                        found.append(f"{relative(path)}: {line}")
        assert not found


def docstrings(path: Path) -> Iterator[list[tuple[int, int]]]:
    """Of each docstring the ranges of lines that begin 0, 1 and 2 lines after its start."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            first = node.body[0]
            yield [(first.lineno - 1 + k, first.end_lineno or 0) for k in range(3)]


@pytest.mark.parametrize(("r", "name"), METHODS, ids=[f"{r.family}-{n}" for r, n in METHODS])
class TestMethods:
    def test_loads_and_says_where_it_comes_from(self, r, name):
        method = r.load(name)
        assert callable(method)
        assert "Source:" in (inspect.getdoc(method) or ""), (
            "the docstring of a method names its paper, and how it was written"
        )

    def test_options_can_be_set_from_the_command_line(self, r, name):
        for option, parameter in r.own_options(name).items():
            kind = parameter.annotation
            assert parameter.default is not parameter.empty, f"{option} has no default"
            assert kind in {float, int, str, bool, "float", "int", "str", "bool"} or str(kind) in TUPLES

    def test_entry_is_complete(self, r, name):
        entry = r.entries()[name]
        assert entry.paper and entry.cost and re.fullmatch(r"[a-z0-9+.-]+", name)
