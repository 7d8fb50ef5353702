"""What a question about stored artists may load; with the real extractors, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
from similar_library import add

import features
from mir.catalog import create_catalog

HEAVY = "tensorflow keras librosa essentia pandas sklearn scipy matplotlib faiss soundfile av"


def test_stored_artists_need_nothing_heavy(tmp_path):
    catalog = create_catalog(tmp_path / "mir.duckdb")
    size = features.EXTRACTORS["vocal_timbre"].embedding_size
    random = np.random.default_rng(0)
    for name in ("Anna", "Berta", "Carl"):
        add(catalog, name, [name], vocals=random.normal(size=size) + 200)
    with catalog.write() as con:
        con.execute("UPDATE tracks SET year = 1999")
    code = (
        "import sys\n"
        "from mir.cli.similar import similar_command\n"
        "asked = {'year': '..2100', 'diversity': 0.5, 'artists_by': 'chamfer', 'explain': True}\n"
        "similar_command(query=sys.argv[1:], as_json=True, **asked)\n"
        f"print(sorted(set({HEAVY.split()!r}) & set(sys.modules)), file=sys.stderr)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, "Anna"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MIR_CATALOG": str(catalog.path)},
    )
    assert {one["artist"] for one in json.loads(ran.stdout)["results"]} == {"Berta", "Carl"}
    assert ran.stderr.strip() == "[]"
