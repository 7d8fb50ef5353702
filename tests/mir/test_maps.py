"""Maps: places that last, colours by any column, and files with everything in them."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import typer
from command import invoke
from map_library import add_crowd, make

from mir import plots
from mir.catalog import Catalog
from mir.catalog.commit import forget_artist
from mir.cli import map as cli
from mir.clusters import cluster
from mir.errors import BadRequest, CatalogBusy, ExtraMissing, NothingToCompare, NotInCatalog
from mir.maps import draw_map, map_data, place, points, read_points
from mir.maps.columns import NONE, Amounts, Categories
from mir.maps.data import read_chart
from mir.maps.page import page, script
from mir.maps.picture import draw
from mir.maps.projection import choose, nearest, parameters, project

HOSTILE = '</script><img src=x onerror=alert(1)> {{data}} & "quoted" \'n $x^2'


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    catalog = make(folder / "mir.duckdb", name=lambda title: HOSTILE if title == "House 0" else title)
    cluster(catalog, "drums")
    place(catalog, "drums", method="pca")
    return catalog


@pytest.fixture
def library(made, tmp_path):
    return Catalog(shutil.copy(made.path, tmp_path / "mir.duckdb"))


def unpacked(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


def data_of(written):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', written, re.S).group(1))


def test_places_are_kept_until_the_vectors_change(library):
    first = place(library, "drums=2", method="pca")
    assert (first.reused, first.instruments, len(first.track_ids)) == (True, "drums", 34)
    assert not place(library, "drums", method="pca", anew=True).reused
    again = read_points(library, "drums")
    np.testing.assert_array_equal(again.xy, first.xy)
    assert again.parameters == {"method": "pca"}
    add_crowd(library, 1, 3, first=50)
    assert len(read_points(library, "drums").track_ids) == 34  # as it was last made
    grown = place(library, "drums", method="pca")
    assert (grown.reused, len(grown.track_ids)) == (False, 37)
    assert library.fetch("SELECT instruments, count(*) FROM map_points GROUP BY ALL").rows == [("drums", 37)]


def test_a_forgotten_track_is_no_point(library):
    forget_artist(library, "Artist of Ballad 1")
    assert len(read_points(library, "drums").track_ids) == 33
    assert map_data(library, "drums")["count"] == 33
    assert not place(library, "drums", method="pca").reused


def test_a_busy_catalog_gets_its_map_all_the_same(library, monkeypatch, caplog):
    def busy(*_):
        raise CatalogBusy("somebody writes")

    monkeypatch.setattr(points, "_keep", busy)
    monkeypatch.setattr("mir.maps.points.logger.propagate", True)
    assert len(place(library, "drums", method="pca", anew=True).track_ids) == 34
    assert "not kept: somebody writes" in caplog.text


def test_what_has_no_map_says_so(library):
    with pytest.raises(NotInCatalog, match="mir map --by vocals -o"):
        read_points(library, "vocals")
    with pytest.raises(NothingToCompare, match="has bass"):
        place(library, "bass")
    with pytest.raises(BadRequest, match="no distance"):
        place(library, "vocals,drums=-1")
    with pytest.raises(BadRequest, match="umap, pca"):
        place(library, "drums", method="tsne")


def test_umap_that_is_not_installed_says_how(library, monkeypatch):
    from importlib import metadata

    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    with pytest.raises(ExtraMissing, match=r'pip install "mir-stems\[maps\]"'):
        place(library, "vocals")
    assert choose(9, None) == "pca"  # a handful of tracks needs no UMAP


@pytest.mark.parametrize("n", [0, 1, 2, 4])
def test_a_handful_is_placed(n):
    x = np.eye(8, dtype=np.float32)[:n]
    xy, _ = project(x, parameters(choose(n, None), n))
    assert xy.shape == (n, 2)
    assert np.isfinite(xy).all()
    assert len(np.unique(xy.round(9), axis=0)) >= min(n, 2)


def test_neighbours_are_exact_and_never_oneself():
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 5))
    x[30:35] = x[30]  # twins
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    found = nearest(x, 4)
    own = x @ x.T
    np.fill_diagonal(own, -2)
    np.testing.assert_allclose(found.similarities, -np.sort(-own, axis=1)[:, :4], atol=1e-5)
    assert (found.places != np.arange(60)[:, None]).all()
    assert nearest(x[:3], 9).places.shape == (3, 2)
    assert nearest(x[:1], 9).places.shape == (1, 0)


@pytest.mark.skipif(importlib.util.find_spec("umap") is None, reason='needs UMAP: pip install "mir-stems[maps]"')
def test_umap_is_seeded_keeps_crowds_together_and_loads_no_tensorflow(library):
    code = (
        "import sys, numpy as np\n"
        "from mir import open_catalog\n"
        "from mir.maps import map_data, place\n"
        "from mir.maps.data import chart_data, read_chart\n"
        "catalog = open_catalog(sys.argv[1])\n"
        "first = place(catalog, 'vocals')\n"
        "second = place(catalog, 'vocals', anew=True)\n"
        "assert place(catalog, 'vocals').reused\n"
        "shown = chart_data(catalog, read_chart(catalog, first)), map_data(catalog, 'vocals')\n"
        "assert shown[0]['neighbours'] == shown[1]['neighbours']\n"
        "print(np.array_equal(first.xy, second.xy), first.parameters['method'], 'tensorflow' in sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(library.path)], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "umap", "False"]
    kept = read_points(library, "vocals")
    assert (kept.parameters["seed"], kept.parameters["n_neighbors"]) == (0, 15)
    titles = dict(library.fetch("SELECT track_id, title FROM tracks").rows)
    crowds = np.array([titles[track_id].rsplit(" ", 1)[0] for track_id in kept.track_ids.tolist()])
    crowds[[titles[track_id] == HOSTILE for track_id in kept.track_ids.tolist()]] = "House"
    far = np.linalg.norm(kept.xy[:, None] - kept.xy[None], axis=2) + np.diag(np.full(len(kept.xy), np.inf))
    alike = (crowds[far.argmin(axis=1)] == crowds)[crowds != "alone"]
    assert alike.mean() > 0.9


def test_the_page_holds_everything_and_asks_nobody(library, tmp_path):
    drawn = draw_map(library, "drums", tmp_path / "new" / "map.html", method="pca")
    written = (tmp_path / "new" / "map.html").read_text(encoding="utf-8")
    assert (drawn.tracks, drawn.method, drawn.colour, drawn.reused) == (34, "pca", "genre", True)
    outside = re.sub(r'<script type="application/json".*?</script>', "", written, flags=re.S)
    assert not re.search(r"(src|href)=|https?:|url\(|@import|fetch\(|eval\(|innerHTML", outside)
    assert "default-src 'none'" in outside
    assert outside.count("'sha256-") == 3
    assert HOSTILE not in written
    data = data_of(written)
    assert data == map_data(library, "drums")
    assert HOSTILE in data["titles"]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["map.html"]


def test_the_page_says_what_the_catalog_does(library):
    data = map_data(library, "drums", "tempo_bpm")
    ids = unpacked(data["track_ids"], "<f8").astype(np.int64)
    rows = library.fetch("SELECT track_id, title, artist, genre, tempo_bpm FROM library ORDER BY track_id").rows
    assert ids.tolist() == [row[0] for row in rows]
    assert data["titles"] == [row[1] for row in rows]
    names, codes = data["artists"]["names"], unpacked(data["artists"]["codes"], "<u4")
    assert [names[code] for code in codes] == [row[2] for row in rows]
    columns = {column["name"]: column for column in data["columns"]}
    tempo = columns["tempo_bpm"]
    steps = unpacked(tempo["codes"], "<u2") / 65534
    read = tempo["least"] + steps * (tempo["most"] - tempo["least"])
    np.testing.assert_allclose(read, [row[4] for row in rows], atol=0.01)
    assert tempo["low"] < tempo["high"]
    genre = columns["genre"]
    shown = [genre["names"][code] if code < 2**32 - 1 else None for code in unpacked(genre["codes"], "<u4")]
    assert shown == [row[3] for row in rows]
    assert "year" not in columns  # nobody has one
    assert {"syncopation", "cluster", "drum_rhythm_spectral_centroid_hz"} <= set(columns)
    assert data["colour"] == "tempo_bpm"
    assert {one["name"] for one in data["clusters"]} == set(columns["cluster"]["names"])
    near = unpacked(data["neighbours"]["places"], "<u4").reshape(len(ids), data["neighbours"]["each"])
    title = "Drum & Bass 2"
    wanted = library.similar_tracks(title, by={"drums": 1.0}, k=6)["track_id"].tolist()
    assert ids[near[data["titles"].index(title)]].tolist() == wanted


def test_neighbours_can_be_left_out(library):
    assert map_data(library, "drums", neighbours=0)["neighbours"] == {"each": 0, "places": "", "similarities": ""}
    assert map_data(library, "drums", neighbours=2)["neighbours"]["each"] == 2


def test_a_track_that_fell_silent_since_takes_no_neighbours_with_it(library):
    with library.write() as con:
        con.execute(
            "DELETE FROM space_vectors WHERE space = 'drum_rhythm' AND track_id = (SELECT max(track_id) FROM tracks)"
        )
        con.execute(
            "DELETE FROM descriptors WHERE space = 'drum_rhythm' AND track_id = (SELECT max(track_id) FROM tracks)"
        )
    data = map_data(library, "drums")
    assert (data["count"], data["neighbours"]["each"]) == (34, 0)


def test_what_colours_what(library):
    chart = read_chart(library, read_points(library, "drums"), "genre")
    genre = chart.columns["genre"]
    assert isinstance(genre, Categories)
    assert (genre.codes == NONE).sum() == 2
    assert len(set(genre.colours)) == 4
    clusters = read_chart(library, read_points(library, "drums"), "cluster").columns["cluster"]
    assert isinstance(clusters, Categories)
    assert (clusters.codes == NONE).sum() == 2
    assert len(set(clusters.colours)) == 4
    with library.write() as con:
        con.execute("UPDATE tracks SET genre = NULL")
        con.execute("DELETE FROM track_genres")
        con.execute("UPDATE drum_rhythm SET swing_ratio = NULL WHERE tempo_bpm > 100")
    assert map_data(library, "drums")["colour"] == "cluster"
    place(library, "vocals", method="pca")
    assert map_data(library, "vocals")["colour"] == "vocal_timbre_f0_median_hz"
    assert map_data(library, "vocals", "f0_median_hz")["colour"] == "vocal_timbre_f0_median_hz"  # the bass has one too
    swing = read_chart(library, read_points(library, "drums"), "swing_ratio").columns["swing_ratio"]
    assert isinstance(swing, Amounts)
    assert 0 < np.isnan(swing.values).sum() < 34
    artists = map_data(library, "drums", "artist")
    column = next(one for one in artists["columns"] if one["name"] == "artist")
    assert (len(column["names"]), sum(colour >= 0 for colour in column["colours"])) == (
        34,
        len(plots.CATEGORIES["light"]),
    )


@pytest.mark.parametrize("colour", ["tempo", "genres", 'x"; DROP TABLE tracks; --'])
def test_a_column_that_is_not_there_is_refused_before_any_work(library, tmp_path, colour):
    with pytest.raises(BadRequest, match="there are cluster, "):
        draw_map(library, "drums", tmp_path / "m.html", colour=colour, on_step=pytest.fail)
    assert not (tmp_path / "m.html").exists()


def test_clusters_that_were_never_made_are_asked_for(library, tmp_path):
    with pytest.raises(NotInCatalog, match="mir cluster --by vocals"):
        draw_map(library, "vocals", tmp_path / "m.html", colour="cluster", method="pca")
    assert cluster(library, "vocals", 18).clusters == ()
    with pytest.raises(NotInCatalog, match="there are no clusters by vocals"):
        draw_map(library, "vocals", tmp_path / "m.html", colour="cluster", method="pca")
    assert draw_map(library, "vocals", tmp_path / "m.png", method="pca").colour == "genre"
    with pytest.raises(BadRequest, match=r"\.html, \.png, \.svg, \.pdf"):
        draw_map(library, "drums", tmp_path / "m.jpg")


@pytest.mark.parametrize(("by", "colour"), [("drums", "cluster"), ("drums", "tempo_bpm"), ("vocals", "artist")])
def test_names_in_the_picture_never_lie_on_each_other(library, by, colour):
    place(library, "vocals", method="pca")  # without clusters: 34 names of artists want to be written
    fig = draw(read_chart(library, read_points(library, by), colour))
    renderer = fig.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in fig.axes[0].texts]
    assert len(boxes) >= 3
    assert not any(a.overlaps(b) for place, a in enumerate(boxes) for b in boxes[:place])


def test_names_of_artists_stand_where_there_are_no_clusters(library):
    place(library, "vocals", method="pca")
    fig = draw(read_chart(library, read_points(library, "vocals"), "genre"))
    written = {text.get_text() for text in fig.axes[0].texts}
    assert written
    assert all(text.startswith("Artist of") for text in written)


def test_pictures_are_the_same_twice(library, tmp_path):
    for name in ("a.png", "b.png"):
        draw_map(library, "drums", tmp_path / name, colour="tempo_bpm", method="pca")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_one_track_alone_is_a_map(tmp_path):
    alone = make(tmp_path / "one.duckdb", each=0, alone=1)
    drawn = draw_map(alone, "drums", [tmp_path / "m.html", tmp_path / "m.png"])
    assert (drawn.tracks, drawn.method) == (1, "pca")
    data = data_of((tmp_path / "m.html").read_text(encoding="utf-8"))
    assert (data["title"], data["neighbours"]["each"], unpacked(data["x"], "<u2").tolist()) == (
        "1 track by drums",
        0,
        [32768],
    )


def test_scripts_come_with_the_package():
    assert "MirMap" in script()
    assert page({"title": "<b>{{data}}"}).count("<b>") == 0


def test_the_command(library, tmp_path):
    app = typer.Typer()
    app.callback()(lambda: None)
    cli.register(app)
    at = ("--catalog", library.path, "--by", "drums", "--method", "pca")
    files = (tmp_path / "m.html", tmp_path / "m.png")
    code, out, said = invoke(app, "map", *at, "-o", files[0], "-o", files[1])
    assert (code, out.split()) == (0, [str(path) for path in files])
    assert "34 tracks, as it lay in the catalog, coloured by genre" in said
    assert files[1].read_bytes().startswith(b"\x89PNG")
    code, out, _ = invoke(app, "map", *at, "-o", files[0], "--color", "tempo_bpm", "--anew", "--json")
    told = json.loads(out)
    assert told == {
        "by": {"drums": 1.0},
        "tracks": 34,
        "method": "pca",
        "colour": "tempo_bpm",
        "reused": False,
        "files": [str(files[0])],
    }
    assert invoke(app, "map", *at, "-o", files[0], "--color", "mood")[0] == 2
