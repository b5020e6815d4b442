"""Score files of ``robustness`` in a report: one chart per corruption, one series per network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.stages.chain import write_data, write_masks
from tests.stages.robustness.test_summary import full, write_scores
from wsstool.errors import BadInputError, UsageError
from wsstool.stages.report.report import report
from wsstool.stages.robustness.robustness import robustness


def polylines(page: str, name: str) -> list[list[tuple[float, float]]]:
    """The points of each series of a chart."""
    chart = re.search(rf"<figcaption>{name}</figcaption>(<svg.*?</svg>)", page)
    assert chart
    found = re.findall(r'<polyline points="([^"]+)"', chart[1])
    return [[tuple(map(float, pair.split(","))) for pair in one.split()] for one in found]  # type: ignore[misc]


@pytest.fixture
def scores(tmp_path: Path) -> list[str]:
    strong = write_scores(tmp_path / "strong.h5", full(["fog", "snow"]))
    weak = write_scores(tmp_path / "weak.h5", {"clean 0": 10, "fog 1": 8, "fog 2": 3, "zoom-blur 4": 5})
    return [str(strong), f"of me={weak}"]


def test_a_chart_per_corruption_and_a_series_per_network(scores: list[str], tmp_path: Path) -> None:
    found = report(scores, output=tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    strong, weak = polylines(page, "fog")
    assert len(strong) == 6 and len(weak) == 3  # clean images first
    expected = [one["clean"] for one in found["scores"]] + [0.7, 0.6, 0.5, 0.4, 0.3, 0.4, 0.15]
    heights = [strong[0][1], weak[0][1], *(y for _, y in strong[1:]), *(y for _, y in weak[1:])]
    slope = (heights[1] - heights[0]) / (expected[1] - expected[0])
    assert slope < 0, "higher scores are drawn higher"
    for value, height in zip(expected, heights, strict=True):
        assert height == pytest.approx(heights[0] + slope * (value - expected[0]), abs=0.2)
    assert len(polylines(page, "snow")) == 1 and len(polylines(page, "zoom-blur")) == 1
    assert page.count("<svg") == 3 and "Scores under corruption: accuracy" in page
    assert '<span class="swatch" style="background:var(--series-2)"></span>of me' in page
    assert "20 images, accuracy 0.900 clean" in page


def test_beside_masks(scores: list[str], tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    masks = write_masks(tmp_path / "masks.h5", data)
    found = report([str(masks), *scores], output=tmp_path / "r.html", bootstrap=0)
    assert [one["source"] for one in found["scores"]] == ["masks", "strong", "of me"]
    assert found["scores"][1]["mce"] == robustness(scores[0])["mce"] is None
    page = (tmp_path / "r.html").read_text()
    assert "<h2>Scores</h2>" in page and "<h2>Classes</h2>" in page and page.count("<svg") == 3


def test_refusals(scores: list[str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two score files are called 'a'"):
        report([f"a={scores[0]}", f"a={scores[0]}"], output=tmp_path / "r.html")
    with pytest.raises(UsageError, match="5 robustness score files; a chart shows at most 4"):
        report([f"{k}={scores[0]}" for k in range(5)], output=tmp_path / "r.html")
    with pytest.raises(BadInputError, match="is a score file"):
        report([scores[0]], twin=scores[0], output=tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()
