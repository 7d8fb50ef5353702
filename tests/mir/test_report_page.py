"""The parts of every page: escaping, tables, charts, pictures of sound."""

from __future__ import annotations

import re

import numpy as np
import pytest
from page_checks import check_page

from mir.report import charts
from mir.report.page import Html, cards, document, folded, image, joined, number, paragraph, table, tag

HOSTILE = "</title><script>alert('x')</script><img src=x onerror=\"y\">&"


def test_every_text_is_escaped_wherever_it_stands():
    body = [
        tag("h1", HOSTILE, title=HOSTILE),
        paragraph(HOSTILE, HOSTILE),
        image(HOSTILE, HOSTILE),
        cards([(HOSTILE, HOSTILE)]),
        folded(HOSTILE, HOSTILE),
        table([HOSTILE], [[HOSTILE], [tag("small", HOSTILE)]]),
        charts.bars([(HOSTILE, 1.0, HOSTILE)]),
        charts.columns([HOSTILE], [1]),
        charts.trend([HOSTILE, HOSTILE], [1, 2], [0, 1], [2, 3], HOSTILE),
        charts.bins([1, 2], [0, 1, 2], HOSTILE),
        charts.sound("data:image/png;base64,", [(0.5, HOSTILE)], (np.zeros(2), np.ones(2)), 3.0, HOSTILE, colour="mix"),
        HOSTILE,
    ]
    page = document(HOSTILE, body, HOSTILE)
    tags = check_page(page.replace("src='&lt;/title", "src='data:&lt;/title"))
    assert "script" not in tags
    assert tags.count("img") == 1, "the one that was asked for"
    assert page.count("&lt;script&gt;") > 15


def test_html_is_not_escaped_twice():
    inner = tag("b", "a & b")
    assert joined([inner, " < ", 1]) == "<b>a &amp; b</b> &lt; 1"
    assert isinstance(joined([]), Html)
    assert tag("p", inner, class_=None, data_x="'") == "<p data-x='&#x27;'><b>a &amp; b</b></p>\n"


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [
        (None, None, "–"), (float("nan"), None, "–"), (0.1234, None, "0.12"), (12.34, None, "12.3"),
        (-123.4, None, "−123"), (12345.6, None, "12\u2009346"), (7.0, None, "7"), (-9.95, 1, "−9.9"),
    ],
)  # fmt: skip
def test_numbers(value, digits, written):
    assert number(value, digits) == written


def test_tables_put_numbers_right_and_colour_verdicts():
    page = table(["a", "b"], [["yes ✓", 1.0], ["no ✗", None], [charts.histogram([1, 2]), 3]])
    assert "<td class='right'>yes ✓</td><td class='number'>1.00</td>" in page
    assert "<td class='wrong'>no ✗</td><td class='number'>–</td>" in page
    assert "<td class='picture'><svg" in page


def heights(svg, fill):
    return [float(found) for found in re.findall(rf"height='([\d.]+)' fill='var\(--{fill}\)'", svg)]


def test_a_histogram_counts_and_marks():
    values = [0.0] * 10 + [1.0] * 5 + [np.nan]
    drawn = charts.histogram(values, 1.0, colour="vocals", n_bins=2)
    assert heights(drawn, "bar") == [30.0, 15.0]
    assert len(heights(drawn, "vocals")) == 1
    assert "1 among 15 values from 0 to 1" in drawn
    assert not heights(charts.histogram(values, None), "mix")
    assert charts.histogram([np.nan]) == "–"
    assert len(heights(charts.histogram([3.0, 3.0], 99.0), "mix")) == 1, "beyond the end is at the end"
    large = charts.bins([-5, 0.5, 0.6, 99], [0, 1, 2], "Hz")
    assert "0 to 1 Hz: 3" in large
    assert "1 to 2 Hz: 1" in large


def test_a_trend_of_equal_numbers_is_drawn_too():
    assert "nan" not in charts.trend(["1990s", "2000s"], [1, 1], [1, 1], [1, 1], "Hz")
    assert "1990s: 1 Hz; 2000s: 1 Hz" in charts.trend(["1990s", "2000s"], [1, 1], [1, 1], [1, 1], "Hz")


@pytest.mark.parametrize(("duration_s", "ticks"), [(7.0, [0, 1, 2, 3, 4, 5, 6]), (65.0, [0, 10, 20, 30, 40, 50, 60])])
def test_ticks_are_round(duration_s, ticks):
    assert charts.time_ticks(duration_s) == ticks
    assert len(charts.time_ticks(100_000)) < 60
