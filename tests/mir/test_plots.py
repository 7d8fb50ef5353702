"""The house style: set inside its block, gone after it; pictures whole or not there."""

from __future__ import annotations

import matplotlib
import pytest

from mir import plots
from mir.errors import BadRequest


def draw():
    with plots.style():
        fig = plots.figure(3.0, 2.0)
        axes = fig.subplots()
        axes.plot([0, 1, 2], [0, 1, 0])
        axes.set_title("Title")
        return fig, axes


def test_style_is_gone_after_its_block():
    before = dict(matplotlib.rcParams)
    with plots.style():
        assert matplotlib.rcParams["axes.spines.top"] is False
        assert matplotlib.rcParams["axes.prop_cycle"].by_key()["color"] == list(plots.COLOURS)
    assert {k: v for k, v in matplotlib.rcParams.items() if k != "backend"} == {
        k: v for k, v in before.items() if k != "backend"
    }


def test_style_is_gone_after_an_error():
    before = matplotlib.rcParams["axes.titleweight"]
    with pytest.raises(ZeroDivisionError), plots.style():
        _ = 1 / 0
    assert matplotlib.rcParams["axes.titleweight"] == before


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_saved_pictures_are_whole_and_repeatable(tmp_path, suffix, magic):
    first = plots.save(draw()[0], tmp_path / "new" / f"a{suffix}")
    second = plots.save(draw()[0], tmp_path / f"b{suffix}")
    assert first.read_bytes().startswith(magic)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"b{suffix}", "new"]


def test_a_failed_save_leaves_the_old_picture(tmp_path):
    path = plots.save(draw()[0], tmp_path / "a.png")
    old = path.read_bytes()
    fig, axes = draw()
    axes.set_title("$\\unknowncommand$")  # mathtext refuses it while drawing
    with pytest.raises(ValueError, match="unknowncommand"):
        plots.save(fig, path)
    assert path.read_bytes() == old
    assert [item.name for item in tmp_path.iterdir()] == ["a.png"]


def test_an_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(BadRequest, match=r"\.png"):
        plots.save(draw()[0], tmp_path / "a.bmp")
    assert list(tmp_path.iterdir()) == []


def test_every_instrument_has_its_own_colour():
    assert len(set(plots.INSTRUMENT_COLOURS.values())) == len(plots.INSTRUMENT_COLOURS) == 5


def test_style_stays_in_a_notebook():
    with matplotlib.rc_context():
        plots.use()
        assert matplotlib.rcParams["axes.spines.top"] is False
        assert matplotlib.rcParams["axes.prop_cycle"].by_key()["color"] == list(plots.COLOURS)


def test_groups_colour_the_largest_and_count_all():
    names = ["_b", "_b", "_b", "a", "a", "c", None, "a"]
    x = [0.0, 1.0, 2.0, 3.0, float("nan"), 5.0, 6.0, 7.0]
    with plots.style():
        axes = plots.figure().subplots()
        plots.groups(axes, x, x, names, most=2)
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["others (2)", " _b (3)", "a (2)"]
    colours = [matplotlib.colors.to_hex(dots.get_facecolor()[0]).upper() for dots in axes.collections]
    assert colours == [plots.OTHERS["light"], *plots.COLOURS[:2]]


def test_groups_of_nothing_draw_nothing():
    with plots.style():
        axes = plots.figure().subplots()
        plots.groups(axes, [], [], [])
    assert not axes.collections
    assert axes.get_legend() is None


def test_anybodys_words_are_no_formula():
    with plots.style():
        fig = plots.figure()
        title = fig.subplots().set_title(plots.label(r"$\frac{ and a very long name indeed$", most=12))
        fig.canvas.draw()
    assert title.get_text() == r"\$\frac{ and…"
