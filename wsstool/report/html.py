"""Render a report as one self-contained HTML file: images embedded, no scripts, no external resources."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from importlib.resources import files

from wsstool.report.page import Curves, Gallery, Page, Ranking, Sample, ScoreRow

_COLOURS = 4


def render(page: Page) -> str:
    """Render a page as the text of an HTML file.

    Args:
        page: contents; empty parts are left out.

    Returns:
        HTML that is readable in light and dark mode, on a phone and on paper. Equal pages give equal text.
    """
    style = files("wsstool.report").joinpath("style.css").read_text(encoding="utf-8")
    parts = [
        f"<h1>{escape(page.title)}</h1>",
        _facts(page.facts),
        _scores(page.rows, page.definition),
        *(_gallery(g) for g in page.galleries if g.samples),
        *(_ranking(r) for r in page.rankings if r.rows),
        _classes(page),
        _confusions(page),
        *(_curves(c) for c in page.curves if c.charts),
        _provenance(page),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(page.title)}</title><style>{style}</style></head>\n<body><main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main></body></html>\n"
    )


def fraction(value: float | None) -> str:
    """Format a fraction with three digits; a dash for None."""
    return "–" if value is None else f"{value:.3f}"


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    if not facts:
        return ""
    rows = (f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts)
    return f'<dl class="facts">{"".join(rows)}</dl>'


def _scores(rows: Sequence[ScoreRow], definition: str) -> str:
    if not rows:
        return ""
    twin = next((r.miou for r in rows if r.is_twin and r.miou), None)
    titles = list(dict.fromkeys(title for row in rows for title in row.details))
    has_blind = any(r.blind is not None for r in rows)
    head = ["<th></th>", '<th class="wide"></th>', "<th>mIoU</th>"]
    head += ["<th>blind</th>"] if has_blind else []
    head += ["<th>of reference</th>"] if twin else []
    head += [f"<th>{escape(t)}</th>" for t in titles]
    body = []
    for k, row in enumerate(rows):
        label = f'<span class="name">{escape(row.name)}</span>'
        label += '<br><span class="soft">fully supervised reference</span>' if row.is_twin else ""
        cells = [
            f"<td>{label}</td>",
            f"<td>{_meter(row.miou, k, blind=row.blind, interval=row.interval)}</td>",
        ]
        interval = (
            row.interval and f'<br><span class="soft">{row.interval[0]:.3f} to {row.interval[1]:.3f}</span>'
        )
        cells.append(f'<td><span class="big">{fraction(row.miou)}</span>{interval or ""}</td>')
        if has_blind:
            rule = f'<br><span class="soft">{escape(row.blind_rule)}</span>' if row.blind is not None else ""
            cells.append(f"<td>{fraction(row.blind)}{rule}</td>")
        if twin:
            share = "" if row.is_twin or row.miou is None else f"{row.miou / twin:.0%}"
            cells.append(f"<td>{share}</td>")
        cells += [f"<td>{fraction(row.details.get(t))}</td>" for t in titles]
        body.append(f"<tr>{''.join(cells)}</tr>")
    key = []
    if has_blind:
        key.append(
            '<span><span class="tick"></span>blind baseline: one image-level label assigned to all '
            "pixels of an image</span>"
        )
    if any(r.interval for r in rows):
        key.append('<span><span class="rule"></span>95 % bootstrap interval</span>')
    return (
        f"<section><h2>Scores</h2><p>{escape(definition)}</p>{_table(head, body)}"
        f'<div class="key">{"".join(key)}</div></section>'
    )


def _classes(page: Page) -> str:
    rows = [r for r in page.rows if len(r.iou)]
    if not rows:
        return ""
    shown = [c for c in range(len(page.classes)) if any(r.iou[c] is not None for r in rows)]
    head = ["<th></th>", *(["<th>pixels</th>"] if page.shares else [])]
    head += [f'<th class="text">{escape(r.name)}</th>' for r in rows]
    body = []
    for c in shown:
        name, colour = page.classes[c]
        label = f'{_swatch(colour)}<span class="name">{escape(name)}</span>'
        label += ' <span class="soft">background</span>' if c == page.background else ""
        cells = [f"<td>{label}</td>"]
        cells += [f'<td class="soft">{page.shares[c]:.1%}</td>'] if page.shares else []
        for k, row in enumerate(rows):
            bar = f'<div class="cell">{_meter(row.iou[c], k)}<span>{fraction(row.iou[c])}</span></div>'
            cells.append(f'<td style="width:{66 / len(rows):.0f}%">{bar}</td>')
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        "<section><h2>Classes</h2><p>Intersection over union of each class, and its share of the "
        f"ground-truth pixels.</p>{_table(head, body)}</section>"
    )


def _confusions(page: Page) -> str:
    if not page.confusions:
        return ""
    colours = dict(page.classes)
    many = len({c[0] for c in page.confusions}) > 1
    head = [f'<th class="text">{title}</th>' for title in ("ground truth", "predicted as")]
    head += ['<th class="wide"></th>']
    head += ["<th>share of the class</th>", *(["<th>in</th>"] if many else [])]
    body = []
    for source, truth, prediction, share in page.confusions:
        index = next((k for k, r in enumerate(page.rows) if r.name == source), 0)
        cells = [
            f'<td class="text">{_swatch(colours[name])}{escape(name)}</td>' for name in (truth, prediction)
        ]
        cells += [f"<td>{_meter(share, index)}</td>", f"<td>{share:.1%}</td>"]
        cells += [f'<td class="soft">{escape(source)}</td>'] if many else []
        body.append(f"<tr>{''.join(cells)}</tr>")
    of = "" if many else f" of {escape(page.confusions[0][0])}"
    title = f"<h2>Most frequent confusions</h2><p>The largest confusions{of}, by number of pixels.</p>"
    return f"<section>{title}{_table(head, body)}</section>"


def _gallery(gallery: Gallery) -> str:
    samples = "".join(_sample(s) for s in gallery.samples)
    names = "".join(f"<span>{_swatch(colour)}{escape(name)}</span>" for name, colour in gallery.legend)
    key = f'<div class="key">{names}</div>' if names else ""
    return f"<section><h2>{escape(gallery.title)}</h2><p>{escape(gallery.note)}</p>{key}{samples}</section>"


def _ranking(ranking: Ranking) -> str:
    texts = [k for k, _ in enumerate(ranking.columns) if any(isinstance(row[k], str) for row in ranking.rows)]
    kinds = [' class="text"' if k in texts else "" for k, _ in enumerate(ranking.columns)]
    head = [f"<th{kind}>{escape(title)}</th>" for kind, title in zip(kinds, ranking.columns, strict=True)]
    body = []
    for row in ranking.rows:
        cells = (escape(cell) if isinstance(cell, str) else fraction(cell) for cell in row)
        body.append(
            f"<tr>{''.join(f'<td{kind}>{cell}</td>' for kind, cell in zip(kinds, cells, strict=True))}</tr>"
        )
    table = _table(head, body)
    return f"<section><details><summary>{escape(ranking.title)}</summary>{table}</details></section>"


def _sample(sample: Sample) -> str:
    figures = []
    for panel in sample.panels:
        data = base64.b64encode(panel.jpeg).decode("ascii")
        alt = escape(f"{panel.caption} of {sample.name}", quote=True)
        figures.append(
            f"<figure><figcaption>{escape(panel.caption)}</figcaption>"
            f'<img alt="{alt}" src="data:image/jpeg;base64,{data}"></figure>'
        )
    head = f'<span class="name">{escape(sample.name)}</span><span>{escape(sample.note)}</span>'
    panels = f'<div class="panels" style="--panels:{len(figures)}">{"".join(figures)}</div>'
    return f'<div class="sample"><header>{head}</header>{panels}</div>'


def _curves(curves: Curves) -> str:
    charts = "".join(
        f"<figure><figcaption>{escape(t)}</figcaption>{svg}</figure>" for t, svg in curves.charts
    )
    note = f"<p>{escape(curves.note)}</p>" if curves.note else ""
    names = "".join(
        f'<span><span class="swatch" style="background:{_colour(k)}"></span>{escape(name)}</span>'
        for k, name in enumerate(curves.legend)
    )
    key = f'<div class="key">{names}</div>' if names else ""
    title = f"<h2>{escape(curves.title)}</h2>"
    return f'<section>{title}{note}{key}<div class="charts">{charts}</div></section>'


def _provenance(page: Page) -> str:
    if not page.provenance:
        return ""
    blocks = "".join(
        f"<h3>{escape(name)}</h3><pre>{escape(chr(10).join(commands))}</pre>"
        for name, commands in page.provenance
    )
    title = "<h2>Commands</h2><p>The commands that produced each file, oldest first.</p>"
    return f"<section>{title}{blocks}</section>"


def _meter(
    value: float | None,
    index: int,
    *,
    blind: float | None = None,
    interval: tuple[float, float] | None = None,
) -> str:
    """Draw a bar from 0 to 1, with a tick for the blind baseline and a line for the interval."""
    parts = [] if value is None else [f'<i style="width:{value:.2%};background:{_colour(index)}"></i>']
    if interval is not None:
        parts.append(f'<u style="left:{interval[0]:.2%};width:{interval[1] - interval[0]:.2%}"></u>')
    if blind is not None:
        parts.append(f'<b style="left:{blind:.2%}"></b>')
    return f'<span class="meter">{"".join(parts)}</span>'


def _colour(index: int) -> str:
    return f"var(--series-{index % _COLOURS + 1})"


def _swatch(colour: tuple[int, int, int]) -> str:
    return f'<span class="swatch" style="background:rgb({colour[0]},{colour[1]},{colour[2]})"></span>'


def _table(head: Sequence[str], body: Sequence[str]) -> str:
    rows = f"<thead><tr>{''.join(head)}</tr></thead><tbody>{''.join(body)}</tbody>"
    return f'<div class="scroll"><table>{rows}</table></div>'
