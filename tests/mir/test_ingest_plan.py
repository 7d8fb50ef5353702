"""What is missing, decided from records alone; and a track's rows from its stems."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from ingest_fakes import SR, BandSplitter, calls, fake_source, write_tone

from features import EXTRACTORS, Stems
from features.errors import StemSilent, TooShort
from mir.analysis import describe, describe_file
from mir.catalog.queries import Done, KnownFile
from mir.catalog.records import FileStat
from mir.ingest.plan import Wanted, gone, make_plan, new_failures, recovered
from mir.ingest.scratch import PREFIX, read_signals, remove_stale, scratch_folder, write_signals
from mir.scan import Failure, Scan

FILE = FileStat("/m/a.mp3", 10, 20)
COMPLETE = {space: Done(extractor.version, "fake", "ok") for space, extractor in EXTRACTORS.items()}
WANTED = Wanted("fake")


def _known(size: int = 10, mtime_ns: int = 20, state: str = "ok", audio_hash: str | None = "h") -> dict[str, KnownFile]:
    return {FILE.path: KnownFile(size, mtime_ns, 1, state, None, audio_hash)}  # type: ignore[arg-type]


def test_unchanged_and_complete_is_skipped_silent_spaces_included() -> None:
    silent = COMPLETE | {"vocal_timbre": Done(EXTRACTORS["vocal_timbre"].version, "fake", "silent")}
    for done in (COMPLETE, silent):
        plan = make_plan([FILE], _known(), {"h": done}, WANTED)
        assert (plan.jobs, plan.skipped, plan.failed_before) == ([], 1, 0)


@pytest.mark.parametrize(
    ("known", "why"),
    [({}, "new"), (_known(size=11), "changed"), (_known(mtime_ns=21), "changed"), (_known(audio_hash=None), "new")],
)
def test_new_and_changed_files_are_looked_into(known: dict[str, KnownFile], why: str) -> None:
    plan = make_plan([FILE], known, {"h": COMPLETE}, WANTED)
    assert [(job.why, job.audio_hash) for job in plan.jobs] == [(why, None)]


@pytest.mark.parametrize(
    "wrong",
    [None, Done(EXTRACTORS["harmony"].version + 1, "fake", "ok"), Done(EXTRACTORS["harmony"].version, "old", "ok")],
)
def test_just_what_is_out_of_date_is_missing(wrong: Done | None) -> None:
    done = {space: known for space, known in COMPLETE.items() if space != "harmony"}
    done |= {"harmony": wrong} if wrong else {}
    assert WANTED.missing(done) == ("harmony",)
    plan = make_plan([FILE], _known(), {"h": done}, WANTED)
    assert [(job.why, job.audio_hash) for job in plan.jobs] == [("update", "h")]


def test_failures_wait_for_a_change_or_a_wish() -> None:
    again = Wanted("fake", retry_failed=True)
    plan = make_plan([FILE], _known(state="failed"), {}, WANTED)
    assert (plan.jobs, plan.skipped, plan.failed_before) == ([], 1, 1)
    assert [job.why for job in make_plan([FILE], _known(state="failed"), {}, again).jobs] == ["retry"]
    assert [job.why for job in make_plan([FILE], _known(size=9, state="failed"), {}, WANTED).jobs] == ["changed"]
    failed = COMPLETE | {"harmony": Done(EXTRACTORS["harmony"].version, "fake", "failed")}
    assert make_plan([FILE], _known(), {"h": failed}, WANTED).skipped == 1
    assert again.missing(failed) == ("harmony",)


def test_stems_that_are_to_be_kept_and_are_not() -> None:
    assert len(make_plan([FILE], _known(), {"h": COMPLETE}, WANTED, kept=frozenset()).jobs) == 1
    assert make_plan([FILE], _known(), {"h": COMPLETE}, WANTED, kept=frozenset({"h"})).skipped == 1


def test_gone_means_under_the_given_folders_and_certainly_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "here.wav").touch()
    root = str(tmp_path / "lib")
    known = [
        f"{root}/here.wav",
        f"{root}/gone.wav",
        f"{root}-2/gone.wav",
        f"{root}/here.wav/gone.wav",
        f"{root}/locked.wav",
    ]
    real = os.stat

    def refuse(path: str, **how: object) -> os.stat_result:
        if str(path).endswith("locked.wav"):
            raise PermissionError(13, "Permission denied")
        return real(path, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", refuse)
    assert gone(known, [root]) == [f"{root}/gone.wav", f"{root}/here.wav/gone.wav"]
    assert gone(known, []) == []


def test_failures_are_written_once_and_dropped_when_good_again(tmp_path: Path) -> None:
    folder = str(tmp_path)
    known = {folder: KnownFile(0, 0, None, "failed", "no audio in this folder", None)}
    same, other = Failure(folder, "no audio in this folder"), Failure(folder, "not readable: permission denied")
    assert new_failures([same, other], known) == [other]
    assert recovered(Scan(folders=[folder]), known) == [folder]
    assert recovered(Scan(folders=[folder], failures=[same]), known) == []
    assert recovered(Scan(folders=[str(tmp_path / "elsewhere")]), known) == []


def test_scratch_keeps_samples_and_lets_them_be_changed(tmp_path: Path) -> None:
    y = np.random.default_rng(0).normal(size=(2, 1000)).astype(np.float32)
    write_signals(tmp_path / "0", {"mixture": y, "vocals": y[:, ::-1]})
    signals = read_signals(tmp_path / "0")
    assert list(signals) == ["mixture", "vocals"]
    np.testing.assert_array_equal(signals["vocals"], y[:, ::-1])
    assert type(signals["mixture"]) is np.ndarray
    signals["mixture"][0, 0] = 99
    assert read_signals(tmp_path / "0")["mixture"][0, 0] == y[0, 0]


def test_only_dead_runs_folders_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f"{PREFIX}dead" / "0").mkdir(parents=True)
    (tmp_path / f"{PREFIX}dead.lock").touch()
    (tmp_path / "mir-other").mkdir()
    with scratch_folder() as mine:
        assert mine.is_dir()
        assert not (tmp_path / f"{PREFIX}dead").exists()
        assert remove_stale(tmp_path) == 0
        assert mine.is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["mir-other"]


def test_no_room_for_stems_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("1000 requested and 7 written")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match=r"no room for 0 MB .*TMPDIR"):
        write_signals(tmp_path / "0", {"mixture": np.zeros((1, 10), np.float32)})


@pytest.fixture
def signals(tmp_path: Path) -> dict[str, np.ndarray]:
    t = np.arange(3 * SR) / SR
    y = sum(0.1 * np.sin(2 * np.pi * hz * t) for hz in (80, 440, 3000, 8000)) * (1 + np.sin(2 * np.pi * 2 * t)) / 2
    y = y.astype(np.float32)[None, :]
    return {"mixture": y, **BandSplitter(tmp_path / "log").separate(y, SR)}


def _replace(monkeypatch: pytest.MonkeyPatch, space: str, error: Exception) -> None:
    def broken(self: object, stems: Stems) -> None:
        raise error

    monkeypatch.setattr(type(EXTRACTORS[space]), "extract", broken)


def test_one_space_fails_alone(signals: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    _replace(monkeypatch, "vocal_timbre", StemSilent("nobody sings"))
    _replace(monkeypatch, "harmony", TooShort("0.2 s, 1 s is needed"))
    _replace(monkeypatch, "drum_rhythm", ZeroDivisionError("no beats"))
    rows, results = describe(signals, SR, "fake", list(EXTRACTORS))
    by_space = {result.space: result for result in results}
    assert {space: (result.state, result.reason) for space, result in by_space.items() if result.state != "ok"} == {
        "vocal_timbre": ("silent", "nobody sings"),
        "harmony": ("failed", "0.2 s, 1 s is needed"),
        "drum_rhythm": ("failed", "ZeroDivisionError: no beats"),
    }
    mixture = by_space["mixture"]
    assert mixture.values is not None
    assert mixture.descriptor is not None
    assert set(mixture.values) == {column.name for column in EXTRACTORS["mixture"].columns}
    assert mixture.descriptor.shape == (EXTRACTORS["mixture"].embedding_size,)
    assert (mixture.version, mixture.source_id, mixture.vector) == (EXTRACTORS["mixture"].version, "fake", None)
    assert {row.stem for row in rows} == {"vocals", "drums", "bass", "other"}
    assert all(-60 < row.loudness_lufs < 0 and 0 < row.active_ratio <= 1 for row in rows)


def test_only_wanted_spaces_are_measured(signals: dict[str, np.ndarray]) -> None:
    rows, results = describe({"mixture": signals["mixture"]}, SR, "fake", ["mixture"])
    assert [(result.space, result.state) for result in results] == [("mixture", "ok")]
    assert rows == []


def test_a_stem_that_was_not_given_fails_its_space_with_a_reason(signals: dict[str, np.ndarray]) -> None:
    del signals["drums"]
    _, (result,) = describe(signals, SR, "two stems only", ["drum_rhythm"])
    assert result.state == "failed"
    assert "drums" in (result.reason or "")


def test_silence_is_silent_everywhere(signals: dict[str, np.ndarray]) -> None:
    silence = {name: np.zeros_like(y) for name, y in signals.items()}
    rows, results = describe(silence, SR, "fake", list(EXTRACTORS))
    assert {result.state for result in results} == {"silent"}
    assert all(row.loudness_lufs == -np.inf and row.active_ratio == 0 for row in rows)


@pytest.mark.parametrize("n_samples", [1, 100, round(0.2 * SR)])
def test_too_short_has_reasons_and_never_an_accident(signals: dict[str, np.ndarray], n_samples: int) -> None:
    short = {name: y[:, :n_samples] for name, y in signals.items()}
    _, results = describe(short, SR, "fake", list(EXTRACTORS))
    assert len(results) == len(EXTRACTORS)
    assert next(result for result in results if result.space == "vocal_timbre").state != "ok"
    assert all(result.reason for result in results if result.state != "ok")
    assert not [result.reason for result in results if "Error: " in (result.reason or "")]


def test_unknown_space_is_refused(signals: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="no space 'taste'"):
        describe(signals, SR, "fake", ["taste"])


def test_a_file_is_heard_as_an_ingest_hears_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mir.ingest.separators

    heard = []
    monkeypatch.setattr(mir.ingest.separators, "model_source", lambda model: fake_source(tmp_path / "log", model))
    monkeypatch.setattr("mir.analysis.describe", lambda *given: heard.append(given) or ([], []))
    path = write_tone(tmp_path / "a.wav", sr=8000, n_channels=6)
    assert describe_file(path, "some-model") == ([], [])
    assert describe_file(path, "some-model", ["mixture"]) == ([], [])
    (signals, sr, source_id, spaces), (mixture_only, *_, one) = heard
    assert (sr, source_id, spaces, one) == (SR, "some-model", list(EXTRACTORS), ["mixture"])
    assert {name: y.shape for name, y in signals.items()} == dict.fromkeys(
        ("mixture", "vocals", "drums", "bass", "other"), (1, round(1.5 * SR))
    )
    assert list(mixture_only) == ["mixture"]
    assert len(calls(tmp_path / "log")) == 1
