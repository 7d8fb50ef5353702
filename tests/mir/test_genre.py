"""Genre from stored features: what is there is learned, what is not is not, nobody's label is touched."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from genre_library import add, genre_library, result, silent, small_extractors
from typer.testing import CliRunner

from features import EXTRACTORS, INSTRUMENTS
from mir.catalog import open_catalog
from mir.errors import BadRequest, NothingToCompare, NotInCatalog, TooFewLabels
from mir.genre.candidates import Candidate
from mir.genre.dataset import feature_matrix, feature_names, feature_row, load, parse_instruments
from mir.genre.evaluation import evaluate
from mir.genre.explanation import explain
from mir.genre.labels import LabelMap
from mir.genre.model import predict_proba
from mir.genre.prediction import apply, predict
from mir.genre.runs import find_run, load_model, promote, runs, train

FEW = (Candidate("logistic", 0.1), Candidate("svm", 1.0), Candidate("logistic", 0.1, 0.95), Candidate("stack", 0.1))
ALL = tuple(INSTRUMENTS)
REAL = dict(EXTRACTORS)


@pytest.fixture(scope="module", autouse=True)
def small():
    """Spaces of a few numbers, so that these tests hang on no real extractor."""
    with small_extractors():
        yield


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    """Three genres that the drums tell, four artists each, and four tracks without a label."""
    return genre_library(tmp_path_factory.mktemp("genre") / "lib.duckdb", unlabelled=4)


@pytest.fixture(scope="module")
def dataset(master):
    return load(master)


@pytest.fixture
def catalog(master, tmp_path):
    """A copy to write to."""
    return open_catalog(shutil.copy(master.path, tmp_path / "lib.duckdb"))


def add_person(catalog, track_id, genre):
    with catalog.write() as con:
        con.execute("INSERT INTO track_genres (track_id, genre, source) VALUES (?, ?, 'person')", [track_id, genre])


def test_a_dataset_has_every_labelled_track_and_every_feature(dataset):
    assert dataset.matrix.shape == (24, sum(len(feature_names(space)) for space in EXTRACTORS))
    assert len(dataset.features) == dataset.matrix.shape[1]
    assert sorted(set(dataset.labels)) == ["House", "Jazz", "Techno"]
    assert len(set(dataset.groups)) == 12
    assert dataset.notes == ()


def test_a_silent_stem_is_missing_and_says_so(dataset):
    sounds = dataset.matrix[:, dataset.features.index("vocal_timbre.sounds")]
    assert sorted(sounds) == [0.0] * 5 + [1.0] * 19
    block = dataset.select(["vocal_timbre"]).matrix
    assert np.isnan(block[sounds == 0][:, :-1]).all()
    columns = len(EXTRACTORS["vocal_timbre"].columns)
    assert not np.isnan(block[sounds == 1][:, columns:]).any()


def test_rows_of_a_file_outside_are_like_stored_ones(master, dataset):
    rng = np.random.default_rng(3)
    results = [silent(space) if space == "bass_line" else result(space, rng, 1.0) for space in EXTRACTORS]
    row = feature_row(results, tuple(EXTRACTORS))
    assert row.shape == (1, dataset.matrix.shape[1])
    position = dataset.features.index("drum_rhythm.sounds")
    assert row[0, position] == 1.0
    assert row[0, dataset.features.index("bass_line.sounds")] == 0.0
    by_space = {each.space: each for each in results}
    first = dataset.features.index(f"drum_rhythm:0:{EXTRACTORS['drum_rhythm'].descriptor_names[0]}")
    assert row[0, first] == pytest.approx(by_space["drum_rhythm"].descriptor[0])
    backwards = feature_row(results[::-1], tuple(EXTRACTORS))
    np.testing.assert_array_equal(row, backwards)


def test_an_unknown_artist_is_a_group_of_its_own_with_a_warning(catalog):
    for number in range(2):
        add(catalog, f"who{number}", artist=None, genres=("House",), means={}, seed=50 + number)
    found = load(catalog)
    assert len(set(found.groups)) == 14
    assert found.n_unknown_artists == 2
    assert "2 track(s) by unknown artists" in found.notes[0]


def test_a_person_goes_before_a_tag(catalog):
    track = int(load(catalog).track_ids[0])
    add_person(catalog, track, "Zouk")
    found = load(catalog)
    assert found.labels[found.track_ids == track].tolist() == ["Zouk"]
    assert found.others[0] == ("House",) or found.others[0] == ("Jazz",) or found.others[0] == ("Techno",)


def test_a_catalog_with_old_features_is_refused(catalog):
    from mir.errors import CatalogTooOld

    with catalog.write() as con:
        con.execute("UPDATE spaces SET version = version - 1 WHERE space = 'drum_rhythm'")
    with pytest.raises(CatalogTooOld, match="drum_rhythm"):
        load(catalog)


@pytest.fixture(scope="module")
def report(dataset):
    return evaluate(dataset, ALL, candidates=FEW)


def test_what_is_there_is_learned_and_from_where(report):
    assert report.ablation["drums"].accuracy >= 0.95
    assert report.score.accuracy >= 0.9
    assert report.ablation["bass"].accuracy <= 0.7
    assert report.all_minus_mix["macro_f1_interval"][0] > 0
    assert report.baselines["majority"] == pytest.approx({"accuracy": 1 / 3, "macro_f1": 1 / 6})
    assert report.baselines["random"] == pytest.approx({"accuracy": 1 / 3, "macro_f1": 1 / 3})
    assert np.sum(report.confusion) == 24
    assert [row.artists for row in report.per_label] == [4, 4, 4]


def test_shuffled_labels_score_like_chance(tmp_path):
    shuffled = load(genre_library(tmp_path / "lib.duckdb", shuffle=True))
    report = evaluate(shuffled, ("drums",), repeats=3, ablate=False, candidates=FEW[:1])
    assert report.score.accuracy < 0.6
    assert report.score.accuracy_interval[0] < 0.45


def test_knowing_the_artist_does_not_help(tmp_path):
    """A feature that names the artist tells all of the genre where artists leak, nothing where they do not."""
    known = load(genre_library(tmp_path / "lib.duckdb", by_genre=None, by_artist="harmony", artists=5, tracks=3))
    svm = [Candidate("svm", 100.0)]
    artists, artist_of = np.unique(known.groups, return_inverse=True)
    scores = {"leaking": [], "grouped": []}
    for seed in range(5):  # who plays what is drawn anew, so that no accident of one draw decides
        genres = np.random.default_rng(seed).permutation(np.arange(len(artists)) % 3).astype(str)
        drawn = replace(known, labels=genres[artist_of])
        leaking = replace(drawn, groups=known.track_ids.astype(str))
        for name, each in (("leaking", leaking), ("grouped", drawn)):
            report = evaluate(each, ("other",), ablate=False, candidates=svm)
            scores[name].append(report.score.accuracy)
    assert np.mean(scores["leaking"]) >= 0.75
    assert np.mean(scores["grouped"]) <= 0.42  # chance is 1/3


def test_rare_labels_are_reported(catalog):
    add(catalog, "lone", artist="Solo", genres=("Zouk",), means={}, seed=60)
    for number in range(2):
        add(catalog, f"pair{number}", artist=f"Pair {number}", genres=("Ska",), means={}, seed=61 + number)
    report = evaluate(load(catalog), ("drums",), ablate=False, candidates=FEW)
    assert {(row.label, row.artists, row.scored) for row in report.rare} == {
        ("Zouk", 1, False),
        ("Ska", 2, True),
    }
    assert "Ska" in report.labels
    assert "Zouk" not in report.labels
    assert any("Zouk (1 tracks)" in said for said in report.statements)


def test_one_genre_cannot_be_trained(tmp_path):
    lonely = genre_library(tmp_path / "lib.duckdb", genres=("House",))
    with pytest.raises(TooFewLabels, match="House"):
        train(lonely, ALL)


def test_without_a_second_artist_nothing_can_be_scored_but_training_goes_on(tmp_path):
    catalog = genre_library(tmp_path / "lib.duckdb", artists=1, tracks=4)
    with pytest.raises(TooFewLabels, match="two artists"):
        evaluate(load(catalog), ALL)
    run = train(catalog, ("drums",), candidates=FEW)
    assert run.metrics["accuracy"] is None
    assert "two artists" in run.metrics["statements"][0]
    assert {each.genre for each in predict(catalog, "Artist 0")} == {"House"}


def test_a_run_is_stored_whole_and_the_first_one_promoted(catalog):
    first = train(catalog, ("drums",), candidates=FEW)
    second = train(catalog, ALL, candidates=FEW)
    assert [run.run_id for run in runs(catalog)] == [second.run_id, first.run_id]
    assert (first.promoted, second.promoted) == (True, False)
    assert first.spaces == {"drum_rhythm": EXTRACTORS["drum_rhythm"].version}
    assert first.parameters["tracks"] == 24
    assert first.metrics["accuracy"] >= 0.95
    assert (catalog.path.parent / "lib.genre" / f"{first.run_id}.skops").is_file()
    assert promote(catalog, second.run_id).promoted
    assert find_run(catalog).run_id == second.run_id
    with pytest.raises(NotInCatalog, match="no run"):
        promote(catalog, "never")


def test_a_repeat_gives_the_same_model(catalog):
    matrix, _ = feature_matrix(catalog, ("drum_rhythm", "harmony"), load(catalog).track_ids)
    two = [train(catalog, ("drums", "other"), folds=2) for _ in range(2)]
    one, other = (load_model(catalog, run.run_id) for run in two)
    assert one.run.run_id != other.run.run_id
    assert one.run.parameters == other.run.parameters
    assert one.run.metrics == other.run.metrics
    np.testing.assert_array_equal(
        predict_proba(one.pipeline, matrix, one.run.labels),
        predict_proba(other.pipeline, matrix, one.run.labels),
    )


def test_another_label_map_is_another_snapshot(catalog):
    plain = train(catalog, ("drums",), candidates=FEW)
    mapped = train(catalog, ("drums",), candidates=FEW, label_map=LabelMap({"Techno": "House"}))
    assert mapped.labels == ("House", "Jazz")
    assert mapped.parameters["label_map"] == {"Techno": "House"}
    assert mapped.parameters["snapshot"] != plain.parameters["snapshot"]


def test_probabilities_are_probabilities(catalog):
    train(catalog, ("drums",), candidates=[Candidate("svm", 1.0)])
    for each in predict(catalog, "t0"):
        assert sum(each.probabilities.values()) == pytest.approx(1.0)
        assert next(iter(each.probabilities)) == each.genre
        assert each.probability == max(each.probabilities.values()) > 0.5
        assert all(share >= 0 for share in each.probabilities.values())


def test_predict_finds_artists_titles_and_ids(catalog):
    train(catalog, ("drums",), candidates=FEW)
    assert {each.genre for each in predict(catalog, "artist 0")} == {"House"}
    assert len(predict(catalog, "Artist 0")) == 2
    track = predict(catalog, "Artist 9 - t18")
    assert [(each.title, each.genre, each.known) for each in track] == [("t18", "Jazz", ("Jazz",))]
    assert predict(catalog, str(track[0].track_id))[0].title == "t18"
    with pytest.raises(NotInCatalog, match="nobody at all"):
        predict(catalog, "nobody at all")


def test_one_title_of_two_tracks_asks_which_is_meant_wherever_it_is_asked_about(catalog):
    train(catalog, ("drums",), candidates=FEW)
    second = add(catalog, "again", artist="Somebody", genres=(), means={"drum_rhythm": 0.0}, seed=71)
    with catalog.write() as con:
        con.execute("UPDATE tracks SET title = 't18' WHERE track_id = ?", [second])
    for ask in (predict, explain):
        with pytest.raises(
            NotInCatalog, match=r"2 tracks are called 't18': give the number or path of one\. \d+: "
        ) as no:
            ask(catalog, "t18")
        assert f"{second}: Somebody - t18" in str(no.value)
        assert [one.track_id for one in ask(catalog, str(second))] == [second]
        assert [one.track_id for one in ask(catalog, "Somebody - t18")] == [second]


def test_a_name_goes_before_a_number(catalog):
    train(catalog, ("drums",), candidates=FEW)
    first = predict(catalog, "t0")[0].track_id
    number = add(catalog, str(first), artist="Somebody", genres=(), means={"drum_rhythm": 0.0}, seed=71)
    assert predict(catalog, str(first))[0].track_id == number


def test_a_file_of_the_catalog_is_not_heard_again(catalog, tmp_path):
    song = tmp_path / "song.flac"
    song.write_bytes(b"never decoded")
    with catalog.write() as con:
        con.execute("UPDATE files SET path = ? WHERE path = '/music/t18.flac'", [str(song.resolve())])
    train(catalog, ("drums",), candidates=FEW)
    found = predict(catalog, str(song))
    assert [(each.title, each.genre) for each in found] == [("t18", "Jazz")]


def test_a_moved_file_is_known_by_its_audio(catalog, tmp_path, monkeypatch):
    import hashlib

    import separation.audio

    monkeypatch.setattr(separation.audio, "packet_hash", lambda path: hashlib.sha256(b"t18").hexdigest())
    train(catalog, ("drums",), candidates=FEW)
    song = tmp_path / "elsewhere.flac"
    song.write_bytes(b"never decoded")
    assert [each.title for each in predict(catalog, str(song))] == ["t18"]


def test_what_is_no_audio_is_refused(catalog, tmp_path):
    from separation.errors import AudioUnreadable

    train(catalog, ("drums",), candidates=FEW)
    song = tmp_path / "song.mp3"
    song.write_bytes(b"no audio at all")
    with pytest.raises(AudioUnreadable, match=r"song\.mp3"):
        predict(catalog, str(song))


def test_a_file_outside_the_catalog_is_described_now(catalog, tmp_path, monkeypatch):
    import mir.analysis
    import separation.audio

    train(catalog, ("drums", "bass"), candidates=FEW)
    heard = []

    def describe_file(path, model, spaces):
        heard.append((Path(path).name, model))
        rng = np.random.default_rng(5)
        return [], [result("drum_rhythm", rng, 2.0), silent("bass_line")]

    monkeypatch.setattr(mir.analysis, "describe_file", describe_file, raising=False)
    monkeypatch.setattr(separation.audio, "packet_hash", lambda path: "0" * 64)
    song = tmp_path / "Someone - Something.flac"
    song.write_bytes(b"")
    found = predict(catalog, str(song), separator="mir-4s")
    assert heard == [("Someone - Something.flac", "mir-4s")]
    assert [(each.genre, each.track_id) for each in found] == [("Techno", None)]


def test_a_track_without_the_instrument_is_refused(catalog):
    add(catalog, "a cappella", artist="Singer", genres=(), means={}, seed=70, mute=("drum_rhythm",))
    train(catalog, ("drums",), candidates=FEW)
    with pytest.raises(NothingToCompare, match="drum_rhythm"):
        predict(catalog, "Singer")


def test_without_a_run_there_is_a_hint(catalog):
    with pytest.raises(NotInCatalog, match="mir genre train"):
        predict(catalog, "Artist 0")


def labels_by_source(catalog):
    with catalog.read() as con:
        return con.execute("SELECT track_id, genre, source FROM track_genres ORDER BY ALL").fetchall()


def test_apply_labels_the_unlabelled_and_nobody_else(catalog):
    add(catalog, "silent one", artist="Silence", genres=(), means={}, seed=71, mute=tuple(EXTRACTORS))
    run = train(catalog, ("drums",), candidates=FEW)
    with catalog.read() as con:
        person = con.execute("SELECT track_id FROM tracks WHERE title LIKE 'u0 %'").fetchone()[0]
    add_person(catalog, person, "Polka")
    before = labels_by_source(catalog)
    done = apply(catalog)
    assert (done.labelled, done.kept, done.without_features) == (3, 25, 1)
    after = labels_by_source(catalog)
    assert [row for row in after if row[2] != "predicted"] == before
    with catalog.read() as con:
        rows = con.execute(
            "SELECT title, genre, genre_source, predicted_probability FROM library WHERE title LIKE 'u%' ORDER BY title"
        ).fetchall()
        stored = con.execute("SELECT DISTINCT run_id FROM genre_predictions").fetchall()
    assert [(title.split()[1], source) for title, _, source, _ in rows][1:] == [
        ("Techno", "predicted"),
        ("Jazz", "predicted"),
        ("House", "predicted"),
    ]
    assert rows[0][1:3] == ("Polka", "person")
    for title, genre, _, probability in rows[1:]:
        assert title.split()[1] == genre
        assert 0.4 < probability <= 1.0
    assert stored == [(run.run_id,)]
    apply(catalog)
    assert labels_by_source(catalog) == after


def test_promoting_brings_a_runs_predictions_with_it(catalog):
    train(catalog, ("drums",), candidates=FEW)
    second = train(catalog, ("drums",), candidates=FEW, label_map=LabelMap({"House": "Disco"}))
    apply(catalog)
    apply(catalog, run_id=second.run_id)

    def predicted():
        return {genre for _, genre, source in labels_by_source(catalog) if source == "predicted"}

    assert predicted() == {"House", "Techno", "Jazz"}
    promote(catalog, second.run_id)
    assert predicted() == {"Disco", "Techno", "Jazz"}


def test_the_real_declarations_fit(tmp_path, small):
    with pytest.MonkeyPatch.context() as patch:
        for space, extractor in REAL.items():
            patch.setitem(EXTRACTORS, space, extractor)
        catalog = genre_library(tmp_path / "lib.duckdb", genres=("House", "Jazz"), artists=2)
        run = train(catalog, ALL, candidates=FEW)
        assert len(run.parameters["features"]) == sum(len(feature_names(space)) for space in REAL)
        assert {each.genre for each in predict(catalog, "Artist 0")} == {"House"}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (None, ALL),
        ("all", ALL),
        ("drums", ("drums",)),
        ("bass, drums", ("drums", "bass")),
        ("harmony", ("other",)),
    ],
)
def test_instruments_are_read(given, found):
    assert parse_instruments(given) == found


@pytest.mark.parametrize("given", ["banjo", "drums=0.5", ","])
def test_what_is_no_instrument_is_refused(given):
    with pytest.raises(BadRequest, match="vocals, drums, bass, other, mix"):
        parse_instruments(given)


@pytest.fixture
def shell(catalog):
    import typer

    from mir.cli.genre import register

    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)

    def run(*arguments):
        outcome = CliRunner().invoke(app, ["genre", *arguments, "--catalog", str(catalog.path)])
        if outcome.exception is not None:
            raise outcome.exception
        return outcome.stdout

    return run


def test_the_shell_trains_predicts_applies_and_lists(shell):
    run = json.loads(shell("train", "--by", "drums", "--json"))
    assert run["promoted"] is True
    assert "features" not in run["parameters"]
    lines = [json.loads(line) for line in shell("predict", "Artist 0", "t18", "--json").splitlines()]
    assert [line["genre"] for line in lines] == ["House", "House", "Jazz"]
    assert json.loads(shell("apply", "--json")) == {
        "run_id": run["run_id"],
        "labelled": 4,
        "kept": 24,
        "without_features": 0,
    }
    assert [json.loads(line)["run_id"] for line in shell("runs", "--json").splitlines()] == [run["run_id"]]
    assert run["run_id"] in shell("runs")
    assert run["run_id"] in shell("promote", run["run_id"][:12])
    assert "Jazz" in shell("predict", "t18")


def test_the_shell_evaluates_with_the_promised_keys(shell, tmp_path):
    report = json.loads(shell("evaluate", "--folds", "2", "--json", "-o", str(tmp_path / "report")))
    assert {"accuracy", "macro_f1", "protocol", "labels", "confusion", "ablation"} <= set(report)
    assert set(report["ablation"]) == {"mix", "vocals", "drums", "bass", "other", "all"}
    assert report["ablation"]["drums"]["accuracy"] >= 0.9
    assert report["labels"] == ["House", "Jazz", "Techno"]
    assert "2 folds grouped by artist" in report["protocol"]
    assert set(report["forms"]) == {"concatenated", "stacked"}
    assert 0 <= report["calibration"]["expected_calibration_error"] <= 1
    folder = tmp_path / "report"
    for name in ("confusion", "ablation", "reliability", "genres"):
        assert (folder / f"genre-{name}.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "genre-report.json").read_text(encoding="utf-8")) == report
    table = (folder / "genre-genres.csv").read_text(encoding="utf-8").splitlines()
    assert table[0] == "label,tracks,artists,precision,recall,f1"
    assert [row.split(",")[0] for row in table[1:]] == report["labels"]


def test_a_report_is_readable(report, capsys):
    from mir.cli.genre_report import print_report

    print_report(report)
    text = capsys.readouterr().out
    assert text.startswith("1 × 5 folds grouped by artist (12 groups)")
    for word in ("majority", "random", "drums", "all", "Techno", "all, stacked", "all, concatenated"):
        assert f"\n{word}\t" in text
    assert "expected calibration error" in text
