"""Long work in a process of its own, stems on disk with a limit, their pictures, and turns at the catalog."""

from __future__ import annotations

import json
import os
import threading
import time

import numpy as np
import pytest
import soundfile
from similar_library import add, small_extractors
from web_site import SR, STEMS_HZ, quick_work, stem, wait_for

from mir.catalog import create_catalog
from mir.errors import CatalogBusy, MirError
from mir.sound_pictures import COLUMNS, N_BANDS, edges_hz
from mir.web.jobs import Jobs, QueueFull
from mir.web.keeper import InOrder, Turns
from mir.web.library import Track
from mir.web.sketch import draw
from mir.web.stems import StemCache
from mir.web.work import SKETCH, hear, make_stems
from separation.audio import packet_hash


def track(number, path="/music/x.wav"):
    return Track(number, f"T{number}", "A", None, None, None, 6.0, path, f"hash {number}", "a - t")


def ended(job):
    return wait_for(lambda: job.state in ("done", "failed") and job)


@pytest.fixture
def jobs():
    made = Jobs(quick_work, most=3, idle_s=60)
    yield made
    made.close()


def test_jobs_are_done_one_after_the_other(jobs, tmp_path):
    music = tmp_path / "slow.wav"
    music.write_bytes(b"1234")
    seen = []
    first = jobs.submit("hear", "a", {"path": str(music), "name": "n"}, finish=lambda job: seen.append(job.key))
    second = jobs.submit("hear", "b", {"path": str(music), "name": "n"}, finish=lambda job: seen.append(job.key))
    assert jobs.submit("hear", "b", {"path": "other"}) is second
    wait_for(lambda: first.state == "working")
    assert jobs.ahead(second) == 0
    assert ended(second).state == "done"
    assert seen == ["a", "b"]
    assert second.result.label == "n"
    assert jobs.find(second.job_id) is second
    assert jobs.submit("hear", "b", {"path": str(music), "name": "n"}) is not second


def test_the_queue_refuses_and_closing_ends_what_runs(tmp_path):
    jobs = Jobs(quick_work, most=2)
    music = tmp_path / "slow.wav"
    music.write_bytes(b"1234")
    first = jobs.submit("hear", "1", {"path": str(music), "name": "n"})
    wait_for(lambda: first.state == "working")
    waiting = [jobs.submit("hear", key, {"path": str(music), "name": "n"}) for key in "23"]
    with pytest.raises(QueueFull) as full:
        jobs.submit("hear", "4", {"path": str(music)})
    assert full.value.retry_after_s > 0
    jobs.close()
    assert {job.state for job in waiting} == {"failed"}
    assert first.state in ("done", "failed")
    with pytest.raises(QueueFull):
        jobs.submit("hear", "5", {"path": str(music)})


def test_a_process_that_dies_fails_its_job_alone(jobs, tmp_path):
    music = tmp_path / "fine.wav"
    music.write_bytes(b"1234")
    bad = jobs.submit("hear", "bad", {"path": "deadly", "name": "n"})
    good = jobs.submit("hear", "good", {"path": str(music), "name": "n"})
    assert "ended (9)" in ended(bad).reason
    assert ended(good).state == "done"


def test_an_idle_process_goes_and_the_next_job_starts_another(tmp_path):
    jobs = Jobs(quick_work, idle_s=0.1)
    music = tmp_path / "fine.wav"
    music.write_bytes(b"1234")
    assert ended(jobs.submit("hear", "a", {"path": str(music), "name": "n"})).state == "done"
    wait_for(lambda: jobs._thread is None)
    assert ended(jobs.submit("hear", "b", {"path": str(music), "name": "n"})).state == "done"
    jobs.close()


def test_the_least_used_stems_go_first(jobs, tmp_path):
    cache = StemCache(tmp_path / "stems", 10**9, jobs, "m", "m:1")
    for number in range(3):
        assert ended(cache.order(track(number), {})).state == "done"
        folder = cache.find(track(number)).folder
        os.utime(folder, (100 + number, 100 + number))
    one = cache.size_bytes() // 3
    cache.find(track(0))  # used again: now track 1 is the oldest
    cache.most_bytes = 3 * one + 100
    ended(cache.order(track(3), {}))
    assert [cache.find(track(number)) is not None for number in range(4)] == [True, False, True, True]
    cache.most_bytes = 1
    ended(cache.order(track(4), {}))
    assert [cache.find(track(number)) is not None for number in range(5)] == [False] * 4 + [True]
    assert not [path for path in cache.folder.iterdir() if path.name.startswith(".")]


def test_stems_of_another_model_are_not_those_asked_for(jobs, tmp_path):
    cache = StemCache(tmp_path / "stems", 10**9, jobs, "m", "m:1")
    ended(cache.order(track(1), {}))
    assert StemCache(tmp_path / "stems", 10**9, jobs, "m", "m:2").find(track(1)) is None
    found = cache.find(track(1))
    assert found.file("vocals", ".wav").is_file()
    assert found.file("../vocals", ".wav") is None


def test_pictures_show_what_is_there(tmp_path):
    y = np.stack([stem("vocals", 4.0)] * 2, axis=1)
    y[: 2 * SR] = 0
    soundfile.write(tmp_path / "vocals.wav", y, SR, subtype="PCM_16")
    soundfile.write(tmp_path / "drums.wav", np.zeros_like(y), SR, subtype="PCM_16")
    heard = []
    sketch = draw(tmp_path, ["vocals", "drums"], heard.append)
    assert sketch["n_samples"] == 4 * SR
    assert sketch["n_channels"] == 2
    outline = np.array(sketch["stems"]["vocals"]["outline"]).reshape(-1, 2)
    assert len(outline) <= COLUMNS
    half = len(outline) // 2
    assert np.abs(outline[: half - 1]).max() == 0
    assert outline[half + 2 :].min() == pytest.approx(-0.2 * 127, abs=1)
    assert sketch["stems"]["vocals"]["level_db"] == pytest.approx(20 * np.log10(0.2 / 2), abs=0.1)
    assert sketch["stems"]["drums"]["level_db"] is None
    assert heard == sorted(heard)

    from matplotlib.image import imread

    picture = imread(tmp_path / "vocals.png")[..., :3].sum(axis=-1)
    row, column = np.unravel_index(picture.argmax(), picture.shape)
    edges = edges_hz()
    assert edges[N_BANDS - 1 - row] * 0.97 <= STEMS_HZ["vocals"] <= edges[N_BANDS - row] * 1.03
    assert column > picture.shape[1] / 2 - 6
    assert picture[:, : picture.shape[1] // 2 - 6].max() < 0.1


def test_samples_begin_where_the_sketch_says(tmp_path):
    y = np.stack([stem("bass", 0.5), -stem("bass", 0.5)], axis=1)
    (tmp_path / "kept").mkdir()
    soundfile.write(tmp_path / "kept" / "b.flac", y, SR)
    target = tmp_path / "out"
    target.mkdir()
    told = []
    assert make_stems(told.append, "unused", str(target), "unused", {"bass": str(tmp_path / "kept" / "b.flac")}) == [
        "bass"
    ]
    sketch = json.loads((target / SKETCH).read_text())
    raw = (target / "bass.wav").read_bytes()[sketch["data_offset"] :]
    steps = np.frombuffer(raw, "<i2").reshape(-1, 2)[: len(y)]
    assert len(steps) == sketch["n_samples"]
    assert np.abs(steps / 32768 - y).max() < 1e-4
    assert told[-1] == pytest.approx(1.0, abs=0.1)


def test_the_real_separator_makes_stems_to_listen_to(tmp_path, tiny_weights, monkeypatch):
    monkeypatch.setenv("MIR_MODELS", str(tiny_weights))
    music = tmp_path / "music.wav"
    soundfile.write(music, np.stack([stem("vocals", 3.0) + stem("bass", 3.0)] * 2, axis=1), SR)
    target = tmp_path / "out"
    target.mkdir()
    told = []
    stems = make_stems(told.append, str(music), str(target), "tiny", {})
    assert stems == ["vocals", "drums", "bass", "other"]
    assert told == sorted(told)
    total = sum(soundfile.read(target / f"{name}.wav")[0] for name in stems)
    assert np.abs(total - soundfile.read(music)[0]).max() < 0.04  # they add up to the mixture


def test_readers_in_turns_leave_gaps_for_a_writer():
    turns, stop, gaps = Turns(), threading.Event(), []

    def read():
        while not stop.is_set():
            with turns.turn():
                time.sleep(0.02)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    try:
        quiet_since = None
        deadline = time.monotonic() + 20
        while len(gaps) < 2 and time.monotonic() < deadline:
            if turns._readers:
                quiet_since = None
            elif quiet_since is None:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > 0.03:  # longer than a writer's longest pause
                gaps.append(quiet_since)
                wait_for(lambda: turns._readers)
                quiet_since = None
            time.sleep(0.002)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert len(gaps) == 2


def test_a_turn_that_never_comes_is_told():
    turns = Turns()
    turns._closed_until = time.monotonic() + 60
    with pytest.raises(CatalogBusy, match="moment"), turns.turn(wait_s=0.05):
        raise AssertionError("nobody gets in")


def test_a_file_is_heard_or_known(tmp_path):
    with small_extractors():
        catalog = create_catalog(tmp_path / "mir.duckdb")
        text = tmp_path / "upload.tmp"
        text.write_text("#EXTM3U\nhttp://127.0.0.1/\nfile:///etc/passwd\n")
        with pytest.raises(MirError, match=r"^song.mp3 ") as told:
            hear(lambda share: None, str(text), "song.mp3", str(catalog.path), "tiny")
        assert str(tmp_path) not in str(told.value)
        music = tmp_path / "music.tmp"
        soundfile.write(music, stem("vocals", 1.0), SR, format="FLAC")
        track_id = add(catalog, "Known", ["Somebody"], vocals=[1, 2, 3, 4])
        with catalog.write() as con:
            con.execute("UPDATE tracks SET audio_hash = ?", [packet_hash(music)])
        assert hear(lambda share: None, str(music), "x.flac", str(catalog.path), "tiny").track_id == track_id


def test_questions_are_answered_in_the_order_they_came():
    gate, order, threads = InOrder(1), [], []

    def ask(number):
        with gate:
            order.append(number)

    with gate:
        for number in range(8):
            threads.append(threading.Thread(target=ask, args=(number,)))
            threads[-1].start()
            wait_for(lambda number=number: len(gate._waiting) == number + 1)
    for thread in threads:
        thread.join()
    assert order == list(range(8))
    with gate:  # and the place is free again
        assert not gate._waiting
