"""The contract of the scorers: every metric has a value, every summary its tables, options are known."""

import json
from dataclasses import fields

import numpy as np
import pytest

from tests.messages import Heard
from tests.stages.chain import write_cams, write_data, write_masks
from tests.stages.object_sets import write_maps, write_objects, write_proposals
from tests.stages.sentence_sets import write_entries, write_sentences
from wsstool.errors import BadInputError, UsageError
from wsstool.stages.objects.select import select
from wsstool.stages.options.metrics import METRICS, choices
from wsstool.stages.options.scoring import EvalOptions
from wsstool.stages.scoring.evaluate import SCORERS, columns, evaluate
from wsstool.stages.scoring.scorer import Table


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Name of a scorer -> what it scores, and the options that measure everything."""
    folder = tmp_path_factory.mktemp("scored")
    maps = write_masks(folder / "masks.h5", write_data(folder / "data"))
    root = write_objects(folder / "objects")
    select(None, contour=str(write_maps(folder / "c.h5", root)), method="ellipse", output=folder / "s.h5")
    objects = json.loads((root / "boxes.json").read_text())["annotations"]
    rows = [
        {"image_id": one["image_id"], "category_id": one["category_id"], "bbox": one["bbox"], "score": 0.5}
        for one in objects
    ]
    (folder / "found.json").write_text(json.dumps(rows))
    named = write_sentences(folder / "named")
    predicted = write_entries(folder / "named.h5", named, change=lambda k, mask: mask & (k != 2))
    return {
        "masks of sentences": (predicted, {}),
        "label maps": (maps, {"boundary": True}),
        "masks of boxes": (folder / "s.h5", {"ap": True}),
        "maps of boxes": (folder / "c.h5", {"sweep": True}),
        "proposals": (write_proposals(folder / "p.h5", root), {}),
        "detections": (folder / "found.json", {"truth": root / "boxes.json"}),
    }


def test_names_are_known():
    assert {scorer.name for scorer in SCORERS.values()} == set(METRICS)
    names = {one.name for one in fields(EvalOptions)}
    assert all(scorer.options <= names for scorer in SCORERS.values())
    assert "voc-ap-11" in choices() and choices().count("(default)") == len(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_a_value(scored, name):
    source, options = scored[name]
    summary = evaluate(source, **options)
    scorer = SCORERS[summary["kind"]]
    assert scorer.name == name
    for metric in scorer.metrics:
        values = scorer.values(summary, metric)
        assert values and all(0 <= value <= 1 for value in values.values()), metric


@pytest.mark.parametrize("name", METRICS)
def test_every_summary_has_tables(scored, name):
    source, options = scored[name]
    parts = columns(evaluate(source, **options))
    tables = [one for one in parts if isinstance(one, Table)]
    assert tables and isinstance(parts[-1], str)
    assert all(len(row) == len(table.header) for table in tables for row in table.rows)


@pytest.mark.parametrize("name", METRICS)
def test_a_score_file_scores_the_same(scored, name, tmp_path):
    source, options = scored[name]
    whole = evaluate(source, output=tmp_path / "scores.json", **{**options, "boundary": False})
    again = evaluate(tmp_path / "scores.json", ap=bool(options.get("ap")))
    assert {**again, "kind": whole["kind"]} == whole


@pytest.mark.parametrize("name", METRICS)
def test_options_of_other_scorers_are_refused_before_anything_is_read(scored, name):
    source, options = scored[name]
    own = next(scorer.options for scorer in SCORERS.values() if scorer.name == name)
    values = {"sweep": True, "boundary": True, "ap": True, "of": "box", "group": "x", "against": source}
    values |= {"expressions": source, "shuffled": source}
    for option in set(values) - own:
        with pytest.raises(UsageError, match=f"--{option} does not apply to {name}"):
            evaluate(source, **{**options, option: values[option]})


@pytest.mark.parametrize(
    ("name", "options", "warning"),
    [
        ("label maps", {"min_area": 5}, "--min-area does nothing without masks of boxes"),
        (
            "label maps",
            {"normalise": "class", "background_threshold": 0.2},
            "--normalise, --background-threshold do nothing without class maps",
        ),
        ("proposals", {"class_list": "luad"}, "--class-list does nothing without ground-truth masks"),
        ("masks of boxes", {"background": "none"}, "--background does nothing without class maps"),
        (
            "proposals",
            {"bootstrap": 0},
            "--bootstrap does nothing without label maps, class maps, masks of boxes or masks of sentences",
        ),
        ("masks of sentences", {"min_area": 5}, "--min-area does nothing without masks of boxes"),
        (
            "detections",
            {"ignored_prediction": "skip"},
            "--ignored-prediction does nothing without label maps or class maps",
        ),
    ],
)
def test_options_that_do_nothing(scored, name, options, warning, tmp_path):
    source, own = scored[name]
    heard, plain = Heard(), Heard()
    assert evaluate(source, **own, **options, messages=heard)
    evaluate(source, **own, output=tmp_path / "scores.json", messages=plain)
    assert [one for one in heard.warned if one not in plain.warned] == [warning]
    of_scores = Heard()
    evaluate(tmp_path / "scores.json", **options, messages=of_scores)
    assert warning in of_scores.warned
    assert not [one for one in plain.warned if "nothing" in one]


def test_options_of_class_maps_are_used(tmp_path):
    cams, heard = write_cams(tmp_path / "c.h5", write_data(tmp_path / "data")), Heard()
    options = {"normalise": "class", "background_threshold": 0.5, "ignore_class": "circle", "seed": 3}
    evaluate(cams, **options, messages=heard)
    assert not heard.warned


def test_a_threshold_without_background_does_nothing():
    options = EvalOptions(background="none", background_threshold=0.2)
    assert options.warnings(["background_threshold", "background"]) == [
        "--background-threshold does nothing with --background none, which uses no threshold"
    ]


def says_the_same(changed, whole):
    """Whether a changed file holds the same values: the last digit of a float need not matter."""
    try:
        return json.loads(changed) == json.loads(whole)
    except ValueError:
        return False


@pytest.mark.parametrize("name", METRICS)
def test_score_files_have_a_checksum(scored, name, tmp_path):
    source, options = scored[name]
    path = tmp_path / "scores.json"
    evaluate(source, output=path, **{**options, "boundary": False})
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    for bit in random.integers(0, 8 * (len(whole) - 1), 60):  # the line break at the end says nothing
        bad = bytearray(whole)
        bad[bit // 8] ^= 1 << bit % 8
        if says_the_same(bad, whole):
            continue
        path.write_bytes(bad)
        with pytest.raises(BadInputError):
            evaluate(path)
    digit = bytes(whole).index(b'":[') + 4
    for at in (place for place in range(digit, len(whole) - 30, 97) if whole[place : place + 1].isdigit()):
        bad = whole[:at] + bytes([ord("0") + (whole[at] - ord("0") + 1) % 10]) + whole[at + 1 :]
        if says_the_same(bad, whole):
            continue
        path.write_bytes(bad)
        with pytest.raises(BadInputError, match=r"scores.json' is damaged or was edited: its checksum"):
            evaluate(path)
    for cut in (0, 1, 30, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:cut])
        with pytest.raises(BadInputError, match="is not a score file"):
            evaluate(path)


@pytest.mark.parametrize("name", METRICS)
def test_score_files_of_version_1_have_none(scored, name, tmp_path):
    source, options = scored[name]
    path = tmp_path / "scores.json"
    evaluate(source, output=path, **{**options, "boundary": False})
    found = evaluate(path)
    content = json.loads(path.read_text())
    del content["crc32"]
    path.write_text(json.dumps(content))
    with pytest.raises(BadInputError, match="checksum"):
        evaluate(path)  # of version 2, and cut
    path.write_text(json.dumps({**content, "wsstool_scores": 1}))
    assert evaluate(path) == found
