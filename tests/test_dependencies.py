"""What pyproject.toml declares is what the package imports, no more and no less."""

import ast
import re
import sys
import tomllib

from tests.test_laws import MODULES, ROOT, tree
from wsstool.pretrained.catalogue import packaged
from wsstool.stages.program.doctor import CORE, OPTIONAL

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DEVELOPMENT = {"test", "dev"}  # extras that only the tests and the checks need
SOLD_AS = {
    "PIL": "pillow",
    "skimage": "scikit-image",
    "yaml": "pyyaml",
    "cv2": "opencv-contrib-python-headless",
    "openslide": "openslide-python",
    "openslide_bin": "openslide-bin",
    "imagecorruptions": "imagecorruptions-imaug",
}


def distributions(requirements):
    return {re.match(r"[\w-]+", one)[0].lower() for one in requirements}


def imported():
    """Distributions that the package imports or looks for by name, at whatever depth."""
    names = set()
    for node in (node for path in MODULES for node in ast.walk(tree(path))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"import_module", "find_spec"}:
            names |= {one.value for one in node.args if isinstance(one, ast.Constant)}
    names |= {entry.package for entry in packaged().values() if entry.package}
    tops = {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"wsstool"}
    return {SOLD_AS.get(one, one.replace("_", "-") if one.endswith("_model") else one) for one in tops}


CORE_DECLARED = distributions(PROJECT["dependencies"])
EXTRAS = {k: v for k, v in PROJECT["optional-dependencies"].items() if k not in DEVELOPMENT}
EXTRAS_DECLARED = distributions(one for extra in EXTRAS.values() for one in extra)


def test_what_is_imported_is_declared():
    assert imported() - CORE_DECLARED - EXTRAS_DECLARED == set()


def test_what_is_declared_is_imported():
    assert (CORE_DECLARED | EXTRAS_DECLARED) - imported() == set()


def test_doctor_looks_at_all_of_them():
    assert set(CORE) == CORE_DECLARED
    assert set(OPTIONAL) == EXTRAS_DECLARED


def test_the_lowest_versions_are_the_bounds():
    """``make test-lowest`` installs exactly what the lower bounds promise to work."""
    lines = (ROOT / "tests" / "lowest.txt").read_text("utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    bounds = dict(re.match(r"([\w-]+)>=([\d.]+)", one).groups() for one in PROJECT["dependencies"])
    assert pinned.keys() == bounds.keys()
    for name, bound in bounds.items():
        lowest = pinned[name].split(".")
        assert lowest == [*bound.split("."), "0", "0"][: len(lowest)], name
