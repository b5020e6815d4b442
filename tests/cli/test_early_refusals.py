"""Wrong options and missing paths are refused before the stage, and with it torch, is imported."""

from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from wsstool.cli import run
from wsstool.cli.app import app
from wsstool.errors import MissingInputError
from wsstool.stages.options.cam import CamOptions
from wsstool.stages.options.trainers.train_cls import TrainClsOptions


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The current folder: a data folder with a box file, weights and a record file, all empty."""
    (tmp_path / "data").mkdir()
    for name in ("data/boxes.json", "w.pth", "c.h5"):
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} was imported")

    monkeypatch.setattr(run, "import_module", refuse)
    return tmp_path


def ends(line: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, line.split())
    return result.exit_code, result.output.strip()


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("cam nowhere --weights w.pth", "'nowhere'"),
        ("cam data --weights none.pth", "--weights: there is no file or folder 'none.pth'"),
        ("cam data --weights w.pth --labels none.csv", "--labels"),
        ("cam data/boxes.json/more --weights w.pth", "'data/boxes.json/more'"),
        ("train-cls nowhere -o o.pth", "'nowhere'"),
        ("train-cls data --init none.pth -o o.pth", "--init"),
        ("train-contour data --boxes none.json -o o.pth", "--boxes"),
        ("train-contour data --selection none.h5 -o o.pth", "--selection"),
        ("contour data --weights none.pth", "--weights"),
        ("predict data --weights w.pth --gate none.pth", "--gate"),
        ("pseudo-mask none.h5", "'none.h5'"),
        ("select c.h5 --contour none.h5", "--contour"),
        ("cotrain none.h5 -o o.pth", "'none.h5'"),
        ("cotrain c.h5 --val nowhere -o o.pth", "--val"),
        ("nms c.h5 none.h5", "'none.h5'"),
        ("export none.h5 -o o.json", "'none.h5'"),
        ("import none.json -o o.h5", "'none.json'"),
        ("propose data --import none.json", "--import"),
        ("robustness data --weights none.pth", "--weights"),
        ("eval c.h5 --truth nowhere", "--truth"),
        ("report c.h5 --log none.jsonl -o o.html", "--log"),
    ],
)
def test_missing_paths(folder, line, missing):
    code, text = ends(line)
    assert code == 66 and missing in text and "there is no" in text


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("train-cls data --arch resnet18 -o o.pth", "no backbone 'resnet18'; did you mean 'resnet-18'?"),
        ("train-contour data --arch nonsense -o o.pth", "no backbone 'nonsense'; there are: tiny"),
        ("cotrain data --arch unet-tiny -o o.pth", "no segmenter 'unet-tiny'; give HEAD-BACKBONE"),
        ("cotrain data --stage fcn-tiny --stage fnc-tiny -o o.pth", "did you mean 'fcn-tiny'?"),
        ("cotrain data --arch bcam-resnet19 -o o.pth", "no referring network 'bcam-resnet19'"),
        ("train-contour data --arch brinet-x -o o.pth", "no referring network 'brinet-x'"),
        ("predict data --weights w.pth --arch fcn8s-vgg17", "no segmenter 'fcn8s-vgg17'; did you mean"),
        ("propose data --method ncut --init i.pth --arch resnet18", "no backbone 'resnet18'"),
        ("cam data --method text --class-vectors w.pth --init w.pth --arch vti", "no backbone 'vti'"),
        ("cam data --weights w.pth --set nonsense=1", "--set nonsense=1: 'cam' has no option 'nonsense'"),
        ("cam data --weights w.pth --method scorecam --set top_channels=x", "'x' is not a whole number"),
        ("propose data --set nonsense=1", "'tree' has no option 'nonsense'"),
        ("cotrain data --set nonsense=1 -o o.pth", "'plain' has no option 'nonsense'"),
        ("train-cls data --attention progressive-dropout --set x=1 -o o.pth", "has no option 'x'"),
        ("train-cls data --set x=1 -o o.pth", "--attention, which is not given"),
        ("cam data --weights w.pth --device gpu", "--device gpu: use auto, cpu, cuda"),
        ("train-cls data --device cuda:x -o o.pth", "--device cuda:x"),
        ("cam data --weights w.pth --shard 3/3", "--shard 3/3: write i/n"),
        ("cam data --weights w.pth --corruption foggy --severity 1", "did you mean 'fog'"),
        ("train-contour data --loss tight=1 -o o.pth", "no box loss 'tight'"),
        ("train-contour data --loss tightness=-1 -o o.pth", "with a weight above 0"),
        ("train-contour data --loss zero=1 -o o.pth", "empty maps"),
        ("robustness data --weights w.pth --corruption foggy", "did you mean 'fog'"),
    ],
)
def test_wrong_values(folder, line, wrong):
    code, text = ends(line)
    assert code == 2 and wrong in " ".join(text.split())


@pytest.mark.parametrize(
    "line",
    [
        "pseudo-mask c.h5 -o c.h5",
        "pseudo-mask c.h5 -o ./link.h5",
        "pseudo-mask hard.h5 -o c.h5",
        "pseudo-mask p.h5 --refine regions --regions c.h5 -o link.h5",
        "select p.h5 --contour c.h5 -o data/../c.h5",
        "nms p.h5 c.h5 -o link.h5",
        "eval p.h5 --against c.h5 -o c.h5",
        "eval p.h5 --group c.h5:patient -o c.h5",
        "eval p.h5 --truth data --split c.h5 -o c.h5",
        "report A=c.h5 -o c.h5",
        "report p.h5 --twin B=c.h5 -o link.h5",
        "report p.h5 --log c.h5 -o c.h5",
        "export data -o data",
        "cam data --weights c.h5 -o c.h5",
        "train-cls data --init c.h5 -o c.h5",
        "train-contour data --boxes boxes.json -o data/boxes.json",
        "cotrain p.h5 --val c.h5 -o c.h5",
    ],
)
def test_no_input_is_overwritten(folder, line):
    (folder / "p.h5").write_bytes(b"")
    (folder / "link.h5").symlink_to("c.h5")
    (folder / "hard.h5").hardlink_to("c.h5")
    code, text = ends(line)
    assert code == 2 and " is the input" in text and "name another output" in text


@pytest.mark.parametrize(
    "line",
    [
        "pseudo-mask -",
        "pseudo-mask c.h5 -o new.h5",
        "pseudo-mask c.h5 -o /dev/null",
        "eval /dev/null -o /dev/null",
        "export c.h5 --images data --format yolo -o data",  # reads no images
        "pseudo-mask c.h5 --images nowhere",  # read only if pixels are needed
        "cam data --weights w.pth --class-list cat,dog",
        "train-contour data --boxes boxes.json -o o.pth",  # in the data folder
        "predict data --weights w.pth --frost nowhere",  # does nothing without --corruption frost
        "nms - c.h5",
    ],
)
def test_paths_that_may_be_elsewhere(folder, line):
    code, text = ends(line)
    assert code == 1 and "was imported" in text


def test_paths_that_cannot_be_looked_at_are_left_to_the_stage(folder):
    CamOptions(data="data", weights="x" * 5000).check_paths()
    with pytest.raises(MissingInputError):
        CamOptions(data="data", weights="x").check_paths()


def test_python_calls_are_checked_where_they_read(folder):
    assert TrainClsOptions(data="nowhere", output="o.pth").data == Path("nowhere")


SPLIT = "--split nonsense"


@pytest.mark.parametrize(
    "line",
    [
        f"cam data --weights w.pth {SPLIT}",
        f"train-cls data {SPLIT} -o o.pth",
        f"train-contour data {SPLIT} -o o.pth",
        f"contour data --weights w.pth {SPLIT}",
        f"propose data {SPLIT}",
        f"predict data --weights w.pth {SPLIT}",
        f"cotrain data {SPLIT} -o o.pth",
        f"robustness data --weights w.pth {SPLIT}",
    ],
)
def test_a_split_that_is_not_there(folder, line):
    Image.new("RGB", (3, 2)).save(folder / "data/a.png")
    (folder / "data/splits").mkdir()
    (folder / "data/splits/mine.txt").write_text("a.png")
    code, text = ends(line)
    assert code == 2 and "no split 'nonsense' in 'data'; there are: mine" in " ".join(text.split())
    code, text = ends(line.replace("nonsense", "mine"))
    assert code == 1 and "was imported" in text


@pytest.mark.parametrize(
    ("file", "split"),
    [
        ("train/a.png", "train"),
        ("images/val/a.png", "val"),
        ("x/y/z/a.png", "z"),
        ("splits/own.txt", "own"),
        ("ImageSets/Main/voc.txt", "voc"),
        ("instances_val2017.json", "val"),
        ("refs(unc).p", "testA"),
        ("referring.jsonl", "testB"),
        ("more.txt", "more.txt"),
    ],
)
def test_a_split_that_the_stage_may_find(folder, file, split):
    for name in ("a.png", file):
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (3, 2)).save(path, format="png")
    code, text = ends(f"cam data --weights w.pth --split {split}")
    assert code == 1 and "was imported" in text
