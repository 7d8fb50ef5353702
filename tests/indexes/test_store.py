"""Published indexes: whole or not at all, and never another catalog's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from indexes import ExactIndex, HnswIndex, IndexStore, Origin
from indexes.errors import IndexDamaged, IndexIncompatible, IndexMissing
from indexes.store import CURRENT, INDEX_FILE, MANIFEST_FILE

ORIGIN = Origin("catalog-1", "vocal_timbre", 1, "vocal_timbre-v1-00000000")


def made(n: int = 20, seed: int = 0) -> ExactIndex:
    x = np.random.default_rng(seed).normal(size=(n, 4))
    index = ExactIndex(4)
    index.add(np.arange(n), x / np.linalg.norm(x, axis=1, keepdims=True))
    return index


@pytest.fixture(name="store")
def _store(tmp_path):
    return IndexStore(tmp_path / "indexes")


def current(store):
    folder = store.root / ORIGIN.space
    return folder / (folder / CURRENT).read_text().strip()


def test_what_was_published_opens(store):
    manifest = store.publish(made(), ORIGIN, 17)
    opened = store.open(ORIGIN.space, ORIGIN)
    assert opened.manifest == manifest == store.manifest(ORIGIN.space)
    assert (manifest.catalog_generation, manifest.count, manifest.dimension) == (17, 20, 4)
    assert (manifest.kind, manifest.metric, len(manifest.sha256)) == ("exact", "inner_product", 64)
    np.testing.assert_array_equal(opened.index.ids, np.arange(20))
    assert store.spaces() == [ORIGIN.space]


def test_the_newest_is_open_and_the_old_ones_are_gone(store):
    for n in (5, 6, 7):
        store.publish(made(n), ORIGIN, n)
    assert len(store.open(ORIGIN.space).index) == 7
    names = sorted(path.name for path in (store.root / ORIGIN.space).iterdir())
    assert names == ["000003", CURRENT]


def test_nothing_published(store):
    with pytest.raises(IndexMissing, match="mir index build"):
        store.open("drum_rhythm")
    assert store.spaces() == []
    store.remove("drum_rhythm")
    store.publish(made(), ORIGIN, 1)
    store.remove(ORIGIN.space)
    with pytest.raises(IndexMissing):
        store.open(ORIGIN.space)


@pytest.mark.parametrize(
    "changed",
    [
        {"catalog_id": "another"},
        {"space": "drum_rhythm"},
        {"version": 2},
        {"transform_id": "vocal_timbre-v1-11111111"},
    ],
)
def test_of_another_origin(store, changed):
    store.publish(made(), ORIGIN, 1)
    plain = {name: getattr(ORIGIN, name) for name in ("catalog_id", "space", "version", "transform_id")}
    with pytest.raises(IndexIncompatible, match=rf"{next(iter(changed))}.*mir index build"):
        store.open(ORIGIN.space, Origin(**{**plain, **changed}))


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: _flip(folder / INDEX_FILE),
        lambda folder: (folder / INDEX_FILE).write_bytes((folder / INDEX_FILE).read_bytes()[:-9]),
        lambda folder: (folder / INDEX_FILE).unlink(),
        lambda folder: (folder / MANIFEST_FILE).unlink(),
        lambda folder: (folder / MANIFEST_FILE).write_text("{"),
        lambda folder: (folder / MANIFEST_FILE).write_text("[1]"),
        lambda folder: _edit(folder / MANIFEST_FILE, count=21),
        lambda folder: _edit(folder / MANIFEST_FILE, count="20"),
        lambda folder: _edit(folder / MANIFEST_FILE, surprise=1),
        lambda folder: _edit(folder / MANIFEST_FILE, origin={"space": "x"}),
        lambda folder: _edit(folder / MANIFEST_FILE, format=99),
        lambda folder: _edit(folder / MANIFEST_FILE, parameters=[1]),
        lambda folder: (folder.parent / CURRENT).write_text("../../elsewhere"),
        lambda folder: (folder.parent / CURRENT).write_bytes(b"\xff\xfe"),
        lambda folder: (folder.parent / CURRENT).write_text("000007"),
    ],
)
def test_every_damage_is_seen_and_building_again_heals(store, damage):
    store.publish(made(), ORIGIN, 1)
    damage(current(store))
    with pytest.raises(IndexDamaged, match="mir index build"):
        store.open(ORIGIN.space, ORIGIN)
    store.publish(made(), ORIGIN, 2)
    assert len(store.open(ORIGIN.space, ORIGIN).index) == 20


def test_an_index_of_the_first_format_still_opens(store):
    store.publish(made(), ORIGIN, 1)
    path = current(store) / MANIFEST_FILE
    plain = json.loads(path.read_text())
    assert (plain.pop("parameters"), plain.pop("why"), plain.pop("format")) == ({}, "", 2)
    path.write_text(json.dumps({**plain, "format": 1}))
    opened = store.open(ORIGIN.space, ORIGIN)
    assert (len(opened.index), opened.manifest.parameters, opened.manifest.why) == (20, {}, "")


def test_what_was_measured_and_why_stand_in_the_manifest(store):
    index = HnswIndex(4)
    index.add(np.arange(50), np.tile(np.eye(4, dtype=np.float32), (13, 1))[:50])
    index.tune()
    manifest = store.publish(index, ORIGIN, 1, why="asked for")
    assert store.manifest(ORIGIN.space) == manifest
    assert (manifest.kind, manifest.why, manifest.parameters) == ("hnsw", "asked for", index.parameters)
    assert manifest.parameters["m"] == 16


def test_an_unknown_kind_is_refused_not_guessed(store):
    store.publish(made(), ORIGIN, 1)
    _edit(current(store) / MANIFEST_FILE, kind="hnsw9")
    with pytest.raises(IndexIncompatible, match="hnsw9"):
        store.open(ORIGIN.space, ORIGIN)


@pytest.mark.parametrize("step", ["write", "rename", "point"])
def test_a_builder_that_dies_leaves_the_old_index(store, monkeypatch, step):
    store.publish(made(5), ORIGIN, 1)

    def die(*_args, **_kwargs):
        raise KeyboardInterrupt

    target = {
        "write": "indexes.store.sha256_of",
        "rename": "indexes.store._take_place",
        "point": "indexes.store._point",
    }
    monkeypatch.setattr(target[step], die)
    with pytest.raises(KeyboardInterrupt):
        store.publish(made(6), ORIGIN, 2)
    monkeypatch.undo()
    assert len(store.open(ORIGIN.space, ORIGIN).index) == 5
    store.publish(made(7), ORIGIN, 3)
    assert len(store.open(ORIGIN.space, ORIGIN).index) == 7


def test_old_drafts_are_swept(store):
    store.publish(made(), ORIGIN, 1)
    for name, age_s in (("old", 10 * 3600), ("young", 60)):
        folder = store.root / ORIGIN.space / f".draft-{name}"
        folder.mkdir()
        then = folder.stat().st_mtime - age_s
        os.utime(folder, (then, then))
    store.publish(made(), ORIGIN, 2)
    assert sorted(path.name for path in (store.root / ORIGIN.space).glob(".draft-*")) == [".draft-young"]


def test_readers_see_whole_indexes_while_one_is_published_again_and_again(store):
    store.publish(made(3), ORIGIN, 3)
    done = threading.Event()

    def publish():
        for n in range(4, 40):
            store.publish(made(n), ORIGIN, n)
        done.set()

    writer = threading.Thread(target=publish)
    writer.start()
    seen = []
    while not done.is_set():
        opened = store.open(ORIGIN.space, ORIGIN)
        assert len(opened.index) == opened.manifest.count == opened.manifest.catalog_generation
        seen.append(len(opened.index))
    writer.join()
    assert seen == sorted(seen)
    assert len(store.open(ORIGIN.space).index) == 39


def test_importing_the_package_loads_no_faiss():
    code = "import indexes, sys; sys.exit('faiss' in sys.modules or 'mir' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
