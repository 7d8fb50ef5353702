"""Ingest as a whole, with a made-up separator and measurements: what goes in, what is done again and what is not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest
import soundfile
from ingest_fakes import SR, calls, cheap_describe, fake_source, write_tone

import mir
from features import EXTRACTORS
from mir.catalog.queries import done, known_files
from mir.ingest import Event, IngestReport, commits, ingest, listening, pipeline, workers, writing
from mir.ingest.pipeline import stems_root

Run = Callable[..., IngestReport]
Command = Callable[..., list[str]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for everything, the temporary folders of the runs included."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return tmp_path.resolve()


@pytest.fixture
def run(place: Path) -> Run:
    def run(*paths: Path, **how: object) -> IngestReport:
        options = {"separator": fake_source(place / "log"), "describe": cheap_describe, "workers": 1} | how
        report = ingest(paths or [place / "lib"], place / "c.duckdb", **options)  # type: ignore[arg-type]
        assert not list((place / "tmp").iterdir()), "a run leaves no temporary files"
        return report

    return run


def _rows(place: Path, query: str) -> list[tuple[object, ...]]:
    return mir.open_catalog(place / "c.duckdb").fetch(query).rows


def _counts(report: IngestReport) -> tuple[int, int, int, int]:
    return report.ingested, report.retagged, report.skipped, len(report.failed)


def test_a_library_goes_in_once(place: Path, run: Run) -> None:
    for number in range(3):
        write_tone(place / "lib" / f"Band {number} - Song.wav", 300 + number)
    events: list[Event] = []
    report = run(on_progress=events.append)
    begun = [event for event in events if event.state == "started"]
    assert [(event.done <= number, event.total) for number, event in enumerate(begun)] == [(True, 3)] * 3
    events = [event for event in events if event.state != "started"]
    assert _counts(report) == (3, 0, 0, 0)
    assert report.audio_s == pytest.approx(4.5)
    assert [(event.state, event.done, event.total) for event in events] == [("ok", 1, 3), ("ok", 2, 3), ("ok", 3, 3)]
    assert all(event.seconds > 0 and event.speed > 0 for event in events)
    assert _rows(place, "SELECT artist, title, sample_rate_hz, n_channels FROM tracks ORDER BY artist") == [
        (f"Band {number}", "Song", SR, 1) for number in range(3)
    ]
    assert _rows(place, "SELECT DISTINCT space, state, source_id FROM extractions ORDER BY space") == [
        (space, "ok", "fake:1") for space in sorted(EXTRACTORS)
    ]
    (n_vectors,) = _rows(place, "SELECT count(*) FROM embeddings")[0]
    assert n_vectors == 3 * len(EXTRACTORS)
    assert _rows(place, "SELECT stem, count(*), max(path) FROM stems GROUP BY stem ORDER BY stem") == [
        (stem, 3, None) for stem in ("bass", "drums", "other", "vocals")
    ]
    assert len(calls(place / "log")) == 3
    events.clear()
    again = run(on_progress=events.append)
    assert _counts(again) == (0, 0, 3, 0)
    assert (again.audio_s, events, len(calls(place / "log"))) == (0, [], 3)


def test_bad_input_fails_alone_and_is_remembered(place: Path, run: Run) -> None:
    lib = place / "lib"
    y = 0.2 * np.sin(2 * np.pi * 220 * np.arange(3 * SR) / SR)
    write_tone(lib / "good" / "A - Mono.wav")
    write_tone(lib / "good" / "A - Slow.wav", sr=8000)
    write_tone(lib / "good" / "A - Fast.wav", sr=192_000)
    write_tone(lib / "good" / "A - Surround.wav", n_channels=6)
    write_tone(lib / "good" / "A - 🎸 \"it's\" 'quoted'; DROP TABLE.wav", 331)
    soundfile.write(lib / "good" / "A - Cut.flac", y, SR)
    whole = (lib / "good" / "A - Cut.flac").read_bytes()
    (lib / "good" / "A - Cut.flac").write_bytes(whole[: len(whole) * 2 // 3])
    soundfile.write(lib / "good" / "A - Silence.wav", np.zeros(2 * SR), SR)
    write_tone(lib / "bad" / "short.wav", seconds=0.2)
    write_tone(lib / "bad" / "deadly.wav", 666)
    write_tone(lib / "bad" / "loud.wav", level=0.99)
    (lib / "bad" / "picture.mp3").write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(5000))
    (lib / "bad" / "nothing.wav").write_bytes(b"")
    (place / "pictures").mkdir()
    report = run(lib, place / "pictures", place / "missing.mp3")
    reasons = {Path(failure.path).name: failure.error for failure in report.failed}
    assert sorted(reasons) == sorted(
        ["short.wav", "deadly.wav", "loud.wav", "picture.mp3", "nothing.wav", "pictures", "missing.mp3"]
    )
    assert reasons["short.wav"] == "too short to measure"
    assert "worker died" in reasons["deadly.wav"]
    assert "SIGKILL" in reasons["deadly.wav"]
    assert reasons["loud.wav"] == "separation failed: ValueError: this model hates loud music"
    assert reasons["pictures"] == "no audio in this folder"
    assert reasons["missing.mp3"] == "no such file or folder"
    assert report.ingested == 7
    known = {Path(path).name: file for path, file in known_files(mir.open_catalog(place / "c.duckdb")).items()}
    for name in set(reasons) - {"short.wav"}:  # short audio is known audio of which nothing could be measured
        assert (known[name].state, known[name].reason) == ("failed", reasons[name])
    assert {file.state for name, file in known.items() if name.startswith("A - ")} == {"ok"}
    assert _rows(
        place, "SELECT DISTINCT state, reason FROM extractions JOIN tracks USING (track_id) WHERE title = 'short'"
    ) == [("failed", "too short to measure")]
    titles = dict(_rows(place, "SELECT title, duration_s FROM tracks"))  # type: ignore[arg-type]
    assert titles["🎸 \"it's\" 'quoted'; DROP TABLE"] == pytest.approx(1.5)
    assert 1 < titles["Cut"] < 2.5
    assert _rows(
        place, "SELECT n_channels, sample_rate_hz FROM tracks WHERE title IN ('Surround', 'Fast') ORDER BY 1"
    ) == [
        (1, 192_000),
        (6, SR),
    ]
    assert _rows(
        place, "SELECT DISTINCT state FROM extractions JOIN tracks USING (track_id) WHERE title = 'Silence'"
    ) == [("silent",)]
    n_heard = len(calls(place / "log"))
    again = run(lib)
    assert _counts(again) == (0, 0, 12, 0)
    assert again.failed_before == 4
    assert len(calls(place / "log")) == n_heard


def test_failures_are_tried_again_on_a_change_or_a_wish(place: Path, run: Run) -> None:
    write_tone(place / "lib" / "a.wav", level=0.99)
    write_tone(place / "lib" / "b.wav", seconds=0.5)
    write_tone(place / "lib" / "c.wav")
    assert len(run().failed) == 2
    assert _counts(run()) == (0, 0, 3, 0)
    assert _counts(run(retry_failed=True)) == (0, 0, 1, 2)
    write_tone(place / "lib" / "a.wav", level=0.5)
    assert _counts(run()) == (1, 0, 2, 0)
    assert known_files(mir.open_catalog(place / "c.duckdb"))[str(place / "lib" / "a.wav")].state == "ok"


def test_moving_renaming_and_retagging_separate_nothing(place: Path, run: Run) -> None:
    import mutagen

    lib = place / "lib"
    for number, name in enumerate(("Band - One.flac", "Band - Two.flac", "Band - Three.flac")):
        write_tone(lib / name, 300 + number)
    run()
    before = calls(place / "log")
    (lib / "deep").mkdir()
    (lib / "Band - One.flac").rename(lib / "deep" / "Other - Uno.flac")
    tagged = mutagen.File(lib / "Band - Two.flac")
    tagged["ARTIST"], tagged["TITLE"] = ["Somebody", "Else"], "Deux"
    tagged.save()
    os.utime(lib / "Band - Three.flac", ns=(5, 5))
    report = run(prune=True)
    assert _counts(report) == (0, 3, 0, 0)
    assert report.pruned == 1
    assert calls(place / "log") == before
    assert _rows(place, "SELECT title, artists FROM library ORDER BY title") == [
        ("Deux", ["Somebody", "Else"]),
        ("Three", ["Band"]),
        ("Uno", ["Other"]),
    ]
    assert _counts(run()) == (0, 0, 3, 0)


def test_files_that_change_names_in_a_ring_lose_nothing(place: Path, run: Run) -> None:
    lib = place / "lib"
    for number in range(3):
        write_tone(lib / f"{number}.wav", 300 + number)
    run()
    hashes = set(done(mir.open_catalog(place / "c.duckdb")))
    for old, new in (("0", "x"), ("2", "0"), ("1", "2"), ("x", "1")):
        (lib / f"{old}.wav").rename(lib / f"{new}.wav")
    report = run()
    assert not report.failed
    assert report.ingested + report.retagged == 3
    complete = done(mir.open_catalog(place / "c.duckdb"))
    assert set(complete) == hashes
    assert all(len(spaces) == len(EXTRACTORS) for spaces in complete.values())
    assert _counts(run()) == (0, 0, 3, 0)


def test_the_same_audio_twice_is_one_track(place: Path, run: Run) -> None:
    write_tone(place / "lib" / "a.wav")
    shutil.copy(place / "lib" / "a.wav", place / "lib" / "b.wav")
    write_tone(place / "lib" / "loud 1.wav", level=0.99)
    shutil.copy(place / "lib" / "loud 1.wav", place / "lib" / "loud 2.wav")
    report = run()
    assert _counts(report) == (1, 1, 0, 2)
    assert len(calls(place / "log")) == 2
    assert _rows(place, "SELECT count(*) FROM tracks") == [(1,)]
    assert _counts(run()) == (0, 0, 4, 0)


def test_just_what_is_out_of_date_is_computed(place: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tone(place / "lib" / "a.wav")
    run()
    before = _rows(place, "SELECT space, done_at::VARCHAR FROM extractions WHERE space <> 'mixture' ORDER BY space")
    monkeypatch.setattr(type(EXTRACTORS["mixture"]), "version", EXTRACTORS["mixture"].version + 1)
    monkeypatch.setattr(pipeline, "Workers", _InProcess)  # a spawned worker would not see the new version
    report = run()
    assert _counts(report) == (1, 0, 0, 0)
    assert len(calls(place / "log")) == 1, "the mixture space needs no separation"
    assert (
        _rows(place, "SELECT space, done_at::VARCHAR FROM extractions WHERE space <> 'mixture' ORDER BY space")
        == before
    )
    assert _rows(place, "SELECT extractor_version FROM extractions WHERE space = 'mixture'") == [
        (EXTRACTORS["mixture"].version,)
    ]
    assert _counts(run(separator=fake_source(place / "log", "fake:2"))) == (1, 0, 0, 0)
    assert _rows(place, "SELECT DISTINCT source_id FROM extractions") == [("fake:2",)]
    assert len(calls(place / "log")) == 2


class _InProcess(workers.Workers):
    """Works in the calling process."""

    def __init__(self, n: int, describe: workers.Describe) -> None:
        super().__init__(n, describe)
        self._here = describe
        self._waiting: list[workers.Outcome] = []

    @property
    def busy(self) -> int:
        return len(self._waiting)

    def prepare(self) -> None:
        return

    def give(self, task: workers.Task) -> None:
        self._waiting.append(workers._work(task, self._here))

    def results(self, *, wait_s: float | None = 0.0) -> list[workers.Outcome]:
        outcomes, self._waiting = self._waiting, []
        return outcomes


def test_prune_forgets_under_the_given_folders_only(place: Path, run: Run) -> None:
    for name in ("lib/a.wav", "lib/b.wav", "other/c.wav"):
        write_tone(place / name, 300 + ord(name[-5]))
    run(place / "lib", place / "other")
    for name in ("lib/a.wav", "other/c.wav"):
        (place / name).unlink()
    assert run(place / "lib").pruned == 0
    assert run(place / "lib", prune=True).pruned == 1
    assert [Path(path).name for path in known_files(mir.open_catalog(place / "c.duckdb"))] == ["b.wav", "c.wav"]
    (place / "lib" / "b.wav").unlink()
    report = run(place / "lib", prune=True)  # an empty folder may be a disk that is not there
    assert (report.pruned, [failure.error for failure in report.failed]) == (0, ["no audio in this folder"])


def test_a_folder_that_was_empty_is_no_failure_any_more(place: Path, run: Run) -> None:
    write_tone(place / "lib" / "a.wav")
    (place / "more").mkdir()
    assert len(run(place / "lib", place / "more").failed) == 1
    assert str(place / "more") in known_files(mir.open_catalog(place / "c.duckdb"))
    write_tone(place / "more" / "b.wav", 330)
    assert _counts(run(place / "more")) == (1, 0, 0, 0)
    assert sorted(Path(path).name for path in known_files(mir.open_catalog(place / "c.duckdb"))) == ["a.wav", "b.wav"]


def test_nothing_to_do_makes_no_catalog(place: Path, run: Run) -> None:
    assert len(run(place / "nowhere").failed) == 1
    assert not (place / "c.duckdb").exists()


def test_dry_run_says_what_would_be_done_and_does_nothing(place: Path, run: Run) -> None:
    write_tone(place / "lib" / "a.wav")
    (place / "lib" / "broken.wav").write_bytes(b"RIFF")
    report = run(dry_run=True)
    assert report.planned == [(str(place / "lib" / "a.wav"), "new")]
    assert [Path(failure.path).name for failure in report.failed] == ["broken.wav"]
    assert not (place / "c.duckdb").exists()
    run()
    (place / "lib" / "a.wav").rename(place / "lib" / "b.wav")
    content = (place / "c.duckdb").read_bytes()
    report = run(dry_run=True, prune=True)
    assert report.planned == [(str(place / "lib" / "b.wav"), "retag"), (str(place / "lib" / "a.wav"), "forget")]
    assert [what for _, what in run(dry_run=True, separator=fake_source(place / "log", "new")).planned] == [
        f"update: {', '.join(EXTRACTORS)}"
    ]
    assert (place / "c.duckdb").read_bytes() == content


def test_kept_stems_are_recorded_and_made_again_when_lost(place: Path, run: Run) -> None:
    write_tone(place / "lib" / "a.wav", n_channels=2)
    run()
    assert _counts(run(keep_stems="flac")) == (1, 0, 0, 0)
    paths = dict(_rows(place, "SELECT stem, path FROM stems"))  # type: ignore[arg-type]
    assert set(paths) == {"vocals", "drums", "bass", "other"}
    (folder,) = stems_root(place / "c.duckdb").iterdir()
    assert folder.parent.name == "c.stems"
    stems = {stem: soundfile.read(path)[0] for stem, path in paths.items()}
    mixture = soundfile.read(place / "lib" / "a.wav")[0]
    np.testing.assert_allclose(sum(stems.values()), mixture, atol=2e-4)
    assert _counts(run(keep_stems="flac")) == (0, 0, 1, 0)
    Path(paths["vocals"]).unlink()
    assert _counts(run(keep_stems="flac")) == (1, 0, 0, 0)
    assert Path(paths["vocals"]).is_file()


def test_long_files_are_described_from_excerpts(
    place: Path, run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listening, "LONG_TRACK_S", 5.0)
    y = np.repeat([0.1, 0.2, 0.3, 0.4, 0.5], 4 * SR).astype(np.float32)
    (place / "lib").mkdir()
    soundfile.write(place / "lib" / "mix.wav", y, SR)
    parts = listening.excerpts(str(place / "lib" / "mix.wav"), 20.0)
    assert parts.shape == (1, 5 * SR)
    middles = parts[0, SR // 2 :: SR]
    np.testing.assert_allclose(middles, [0.1, 0.2, 0.3, 0.4, 0.5], atol=1e-3)
    assert parts[0, 0] == parts[0, SR] == 0, "joints are faded"
    report = run(keep_stems="flac")
    assert report.ingested == 1
    assert report.audio_s == pytest.approx(20.0)
    assert "too long to keep its stems" in caplog.text
    assert _rows(place, "SELECT duration_s FROM tracks") == [(20.0,)]


def test_ctrl_c_keeps_what_is_finished(place: Path, run: Run) -> None:
    for number in range(5):
        write_tone(place / "lib" / f"{number}.wav", 300 + number)

    def stop(event: Event) -> None:
        if event.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(on_progress=stop)
    assert not list((place / "tmp").iterdir())
    assert _rows(place, "SELECT count(*) FROM tracks") == [(2,)]
    assert _counts(run()) == (3, 0, 2, 0)


def test_full_disk_is_said_and_what_was_committed_stays(place: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        write_tone(place / "lib" / f"{number}.wav", 300 + number)
    real, committed = commits.commit_track, []

    def full(catalog: object, record: object) -> int:
        if committed:
            raise duckdb.TransactionException(
                'Failed to commit: Could not write "c.wal": No space left on device\n\nmore'
            )
        committed.append(record)
        return real(catalog, record)  # type: ignore[arg-type]

    monkeypatch.setattr(commits, "commit_track", full)
    with pytest.raises(writing.CatalogNotWritten, match=r"c\.duckdb cannot be written: no space left on its disk"):
        run()
    monkeypatch.setattr(commits, "commit_track", real)
    assert _counts(run()) == (2, 0, 1, 0)


def test_a_busy_catalog_is_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from mir.errors import CatalogBusy

    tries: list[int] = []

    def commit() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise CatalogBusy("locked by a notebook")
        return "committed"

    assert writing.written(tmp_path, commit) == "committed"
    monkeypatch.setattr(writing, "PATIENCE_S", 0.0)
    tries.clear()
    with pytest.raises(CatalogBusy):
        writing.written(tmp_path, commit)


def test_ctrl_c_inside_a_commit_is_ctrl_c(tmp_path: Path) -> None:
    def interrupted() -> None:
        raise RuntimeError("Query interrupted")

    def broken() -> None:
        raise RuntimeError("a bug")

    with pytest.raises(KeyboardInterrupt):
        writing.written(tmp_path, interrupted)
    with pytest.raises(RuntimeError, match="a bug"):
        writing.written(tmp_path, broken)


def test_what_cannot_be_stored_fails_its_track_alone(place: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        write_tone(place / "lib" / f"{name}.wav", 300 + ord(name))
    real = commits.commit_track

    def picky(catalog: object, record: object) -> int:
        if "a.wav" in record.file.path:  # type: ignore[attr-defined]
            raise ValueError("a descriptor of the wrong size")
        return real(catalog, record)  # type: ignore[arg-type]

    monkeypatch.setattr(commits, "commit_track", picky)
    report = run()
    assert _counts(report) == (1, 0, 0, 1)
    assert "wrong size" in report.failed[0].error


def test_a_model_without_weights_stops_the_run(place: Path, run: Run) -> None:
    from mir.ingest import SeparatorSource
    from separation.errors import WeightsMissing

    def load() -> None:
        raise WeightsMissing("no weights; mir models pull")

    write_tone(place / "lib" / "a.wav")
    with pytest.raises(WeightsMissing):
        run(separator=SeparatorSource("x", load))  # type: ignore[arg-type]
    assert _rows(place, "SELECT count(*) FROM files") == [(0,)]


@pytest.mark.parametrize("wrong", [{"keep_stems": "mp3"}, {"workers": 0}])
def test_impossible_wishes_are_refused(place: Path, run: Run, wrong: dict[str, object]) -> None:
    from mir.errors import BadRequest

    with pytest.raises(BadRequest):
        run(**wrong)


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {fakes!r})
from ingest_fakes import cheap_describe, fake_source
import mir.ingest.run as run
run.model_source = lambda model, precision: fake_source(Path({log!r}))
run.ingest.__kwdefaults__["describe"] = cheap_describe
import typer
from mir.cli.ingest import register
app = typer.Typer()
app.callback()(lambda: None)
register(app)
if __name__ == "__main__":
    try:
        app()
    finally:
        heavy = {{"tensorflow", "keras", "librosa", "essentia", "pandas", "faiss", "sklearn", "av", "scipy", "numba"}}
        print("loaded:", *sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


@pytest.fixture
def command(place: Path) -> Command:
    script = place / "command.py"
    script.write_text(SCRIPT.format(fakes=str(Path(__file__).parent), log=str(place / "log")))

    def command(*arguments: str | Path) -> list[str]:
        words = [sys.executable, script, "ingest", *arguments, "--catalog", place / "c.duckdb"]
        return list(map(str, words))

    return command


def _finish(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_the_command(place: Path, command: Command) -> None:
    write_tone(place / "lib" / "A - Song.wav")
    (place / "lib" / "broken.wav").write_bytes(b"RIFF")
    first = _finish(command("--json", place / "lib"))
    assert first.returncode == 1, first.stderr
    *tracks, last = map(json.loads, first.stdout.splitlines())
    assert {(Path(track["path"]).name, track["state"]) for track in tracks} == {
        ("A - Song.wav", "ok"),
        ("broken.wav", "failed"),
    }
    assert all(track["seconds"] >= 0 for track in tracks)
    assert (last["ingested"], last["skipped"], last["audio_s"]) == (1, 0, 1.5)
    assert last["wall_s"] > 0
    assert [Path(one["path"]).name for one in last["failed"]] == ["broken.wav"]
    second = _finish(command("--json", place / "lib"))
    assert second.returncode == 0
    assert second.stderr.splitlines()[-1] == "loaded:", "what does nothing loads nothing"
    (only,) = map(json.loads, second.stdout.splitlines())
    assert (only["ingested"], only["skipped"], only["failed"]) == (0, 2, [])
    third = _finish(command(place / "lib"))
    assert third.stdout == "0 ingested, 2 unchanged, 0 failed\n"
    assert "--retry-failed" in third.stderr
    planned = _finish(command("--dry-run", "--retry-failed", "--json", place / "lib"))
    assert json.loads(planned.stdout.splitlines()[-1])["failed"]
    assert _finish(command("--keep-stems", "mp3", place / "lib")).returncode != 0


def test_ctrl_c_on_the_command_line(place: Path, command: Command) -> None:
    for number in range(60):
        write_tone(place / "lib" / f"{number}.wav", 300 + number, seconds=1.0)
    with subprocess.Popen(
        command("--json", place / "lib"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a shell's background job, such as a CI run, ignores Ctrl-C, and its children would inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)  # a terminal's Ctrl-C reaches the workers too
        out, err = process.communicate()
    assert process.returncode == 130
    assert err.startswith("interrupted; ")
    assert "Traceback" not in err
    finished = 1 + len(out.splitlines())
    assert _rows(place, "SELECT count(*) FROM tracks") in ([(finished,)], [(finished + 1,)])
    assert finished < 60
