"""The demo's pictures, in the house style, as PNG in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mir import plots
from mir.demo.answers import Answers
from mir.demo.verdict import Verdict
from mir.report.pictures import data_uri
from mir.sound_pictures import RANGE_DB, TICKS_HZ, band_of, picture, tick_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Samples = NDArray[np.float32]


def matrices(answers: Answers, verdict: Verdict) -> str:
    """Two matrices of similarity between artists, by vocals and by whole sound, both ordered by singer."""
    order = [act.artist for act in verdict.acts]
    labels = [f"{act.artist}  ({act.singer.split()[0]})" for act in verdict.acts]
    singers = [act.singer for act in verdict.acts]
    bands = [act.band for act in verdict.acts]
    with plots.style():
        fig = plots.figure(10.4, 4.7)
        left, right = fig.subplots(1, 2)
        _matrix(left, similarity_matrix(answers, "vocals", order), "by vocals")
        _matrix(right, similarity_matrix(answers, "mix", order), "by the whole mix")
        left.set_yticks(range(len(order)), labels)
        right.set_yticks(range(len(order)), [""] * len(order))
        for axes in (left, right):
            axes.set_xticks(range(len(order)), order, rotation=40, ha="right")
            _outline(axes, singers, plots.COLOURS[1], "-")
            _outline(axes, bands, plots.COLOURS[0], ":")
        left.plot([], [], color=plots.COLOURS[1], label="same singer")
        left.plot([], [], color=plots.COLOURS[0], linestyle=":", label="same band")
        fig.legend(*left.get_legend_handles_labels(), loc="outside lower right", ncols=2)
        return data_uri(fig)


def similarity_matrix(answers: Answers, instrument: str, order: list[str]) -> NDArray[np.float64]:
    """Similarities by an instrument, shape ``(n, n)``; NaN on the diagonal and where there was no answer."""
    place = {name: index for index, name in enumerate(order)}
    matrix = np.full((len(order), len(order)), np.nan)
    for artist, found in answers.neighbours[instrument].items():
        for neighbour in found:
            if artist in place and neighbour.artist in place:
                matrix[place[artist], place[neighbour.artist]] = neighbour.similarity
    return matrix


def _matrix(axes: Axes, matrix: NDArray[np.float64], title: str) -> None:
    bound = float(np.nanmax(np.abs(matrix))) if np.isfinite(matrix).any() else 1.0
    axes.imshow(matrix, cmap=plots.DIVERGING, vmin=-bound, vmax=bound)
    axes.set_title(title)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for row, column in zip(*np.nonzero(np.isfinite(matrix)), strict=True):
        value = matrix[row, column]
        axes.text(
            column,
            row,
            f"{value:.2f}".replace("-", "−"),
            ha="center",
            va="center",
            fontsize=7,
            color="white" if abs(value) > 0.6 * bound else "#222222",
        )


def _outline(axes: Axes, group: list[str], colour: str, line: str) -> None:
    """Frame the cells of two members of one group."""
    from matplotlib.patches import Rectangle

    for row, one in enumerate(group):
        for column, other in enumerate(group):
            if row != column and one == other:
                axes.add_patch(
                    Rectangle(
                        (column - 0.45, row - 0.45),
                        0.9,
                        0.9,
                        fill=False,
                        edgecolor=colour,
                        linestyle=line,
                        linewidth=1.8,
                    )
                )


def rhythm(verdict: Verdict) -> str:
    """Tempo against four-on-the-floor as heard, coloured by true genre; crosses where the true tempo is."""
    with plots.style():
        fig = plots.figure(7.2, 3.9)
        axes = fig.subplots()
        for index, genre in enumerate(dict.fromkeys(track.truth.genre for track in verdict.tracks)):
            chosen = [track for track in verdict.tracks if track.truth.genre == genre]
            axes.scatter(
                [t.heard.tempo_bpm for t in chosen],
                [t.heard.four_on_the_floor for t in chosen],
                s=42,
                color=plots.COLOURS[index],
                alpha=0.85,
                edgecolor="white",
                linewidth=0.6,
                label=genre,
            )
            axes.scatter(
                [t.truth.tempo_bpm for t in chosen],
                [t.heard.four_on_the_floor for t in chosen],
                s=16,
                marker="x",
                color=plots.COLOURS[index],
                alpha=0.6,
                linewidth=0.9,
            )
        axes.set_xlabel("tempo in beats a minute (dot: heard, cross: true)")
        axes.set_ylabel("four on the floor, 0 to 1")
        axes.legend(loc="best", title="true genre")
        return data_uri(fig)


def stems(sounds: Mapping[str, Samples], sr: int, title: str) -> str:
    """Spectrograms of a mixture and of what was taken out of it, on one scale."""
    spectra = {name: picture([y], sr, y.shape[1]).decibels for name, y in sounds.items()}
    top = max(float(spectrum.max()) for spectrum in spectra.values())
    with plots.style():
        fig = plots.figure(10.4, 8.4)
        for axes, (name, spectrum) in zip(fig.subplots(len(spectra), 1, sharex=True), spectra.items(), strict=True):
            duration_s = sounds[name].shape[-1] / sr
            axes.imshow(
                spectrum,
                origin="lower",
                aspect="auto",
                cmap="magma",
                vmin=top - RANGE_DB,
                vmax=top,
                extent=(0.0, duration_s, 0.0, float(spectrum.shape[0])),
                interpolation="nearest",
            )
            axes.set_yticks([band_of(f) for f in TICKS_HZ], [tick_name(f) for f in TICKS_HZ])
            axes.set_title(
                title if name == "mixture" else name,
                color=plots.INSTRUMENT_COLOURS.get(name, plots.INSTRUMENT_COLOURS["mix"]),
            )
            axes.grid(visible=False)
        axes.set_xlabel("seconds")
        return data_uri(fig)
