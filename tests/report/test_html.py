"""The report is one well-formed file that loads nothing and says what it was given."""

import json
import re
from html.parser import HTMLParser

import pytest

from wsstool.errors import BadInputError, MissingInputError
from wsstool.report.curves import line_chart, read_log, short
from wsstool.report.html import render
from wsstool.report.page import Curves, Gallery, Page, Panel, Sample, ScoreRow

VOID_TAGS = {"meta", "img", "line", "circle", "polyline", "br"}


class Balanced(HTMLParser):
    """Fails on a closing tag that does not match; collects what would be loaded, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID_TAGS:
            self.open.append(tag)
        self.sources += [v or "" for k, v in attributes if k in ("src", "href")]

    def handle_startendtag(self, tag, attributes):
        self.sources += [v or "" for k, v in attributes if k in ("src", "href")]

    def handle_endtag(self, tag):
        if tag not in VOID_TAGS:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def page() -> Page:
    curves = line_chart({"loss": ([0, 1, 2], [3.0, 2.0, 1.0])}, label="loss")
    return Page(
        title='Tissue <b>"A&B"</b>',
        facts=[("images", "12")],
        classes=[("stroma", (1, 2, 3)), ("gland <x>", (9, 8, 7)), ("never", (0, 0, 0))],
        shares=[0.25, 0.75, 0.0],
        background=0,
        rows=[
            ScoreRow("pseudo", 0.5, (0.45, 0.55), 0.3, "first-tag", {"pixels": 0.7}, [0.4, 0.6, None]),
            ScoreRow("twin", 0.625, iou=[0.5, None, None], is_twin=True),
        ],
        definition="mIoU: one confusion matrix",
        confusions=[("pseudo", "stroma", "gland <x>", 0.12)],
        galleries=[Gallery("Worst", "by mIoU", [Sample("a/<1>.png", "0.1", [Panel("image", b"jpeg")])])],
        curves=[Curves("Training", [("loss", curves)])],
        provenance=[("cam.h5", ["wsstool cam data --weights a.pth > cam.h5"])],
    )


def test_report_is_well_formed_and_loads_nothing():
    text = render(page())
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    assert parser.sources and all(s.startswith("data:image/jpeg;base64,") for s in parser.sources)
    assert not re.search(r"https?:|url\(|@import|<script|<link", text)
    assert text == render(page())


def test_report_says_what_it_was_given():
    parser = Balanced()
    parser.feed(render(page()))
    words = " ".join(parser.text)
    for expected in (
        *(
            "0.500",
            "0.450 to 0.550",
            "0.300",
            "first-tag",
            "80%",
            "fully supervised reference",
            "gland <x>",
            "12.0%",
        ),
        *('Tissue <b>"A&B"</b>', "wsstool cam data --weights a.pth > cam.h5", "a/<1>.png"),
    ):
        assert expected in words, expected
    assert "never" not in words  # a class that nothing scored has no bar


def test_empty_parts_are_left_out():
    text = render(Page("Nothing"))
    assert "<section>" not in text and "<h1>Nothing</h1>" in text


def test_log_becomes_curves(tmp_path):
    log = tmp_path / "log.jsonl"
    lines = [{"step": 10 * i, "loss": 1 / (i + 1), "val": {"miou": 0.1 * i}, "name": "x"} for i in range(4)]
    log.write_text("\n".join(map(json.dumps, lines)) + '\n{"step": 4')
    curves = read_log(log)
    assert curves["loss"] == ([0, 10, 20, 30], [1, 0.5, 1 / 3, 0.25])
    assert set(curves) == {"loss", "val.miou"}
    assert line_chart(curves).count("<polyline") == 2
    assert line_chart({}) == ""


def test_long_curves_are_averaged():
    many = list(map(float, range(10_000)))
    points = re.search(r'points="([^"]*)"', line_chart({"x": (many, many)}))
    assert points and 200 < len(points.group(1).split()) <= 240


def test_flat_and_single_points_are_drawn():
    for values in ([1.0], [2.0, 2.0], [0.0, 0.0]):
        assert "nan" not in line_chart({"x": ([float(i) for i in range(len(values))], values)})


def test_bad_logs_are_refused(tmp_path):
    with pytest.raises(MissingInputError):
        read_log(tmp_path / "none.jsonl")
    bad = tmp_path / "bad.jsonl"
    bad.write_text("nonsense\n{}\n")
    with pytest.raises(BadInputError, match="line 1"):
        read_log(bad)
    bad.write_text("[1]\n{}\n")
    with pytest.raises(BadInputError, match="not an object"):
        read_log(bad)


def test_short_numbers():
    assert [short(v) for v in (0.0, 0.05, 12.345, 12345)] == ["0", "0.05", "12.3", "12.35k"]
