"""Packages that are not found on purpose: by one thread, in one block; and what Keras does without."""

import gc
import importlib
import subprocess
import sys
import threading

import pytest

from separation.loading import KERAS_EXTRAS, absent, quick_start

NAMES = ("this", "antigravity")  # of the standard library, and seldom loaded


def test_only_this_thread_and_only_in_the_block(monkeypatch):
    monkeypatch.delitem(sys.modules, "this", raising=False)
    before = list(sys.meta_path)
    found = []
    with absent(NAMES):
        with pytest.raises(ModuleNotFoundError, match="No module named 'this'") as caught:
            importlib.import_module("this")
        assert caught.value.name == "this"
        importlib.import_module("json")
        other = threading.Thread(target=lambda: found.append(importlib.import_module("this")))
        other.start()
        other.join()
        assert importlib.import_module("this") is found[0], "what is loaded stays loaded"
    assert sys.meta_path == before
    monkeypatch.delitem(sys.modules, "this")
    assert importlib.import_module("this").__name__ == "this"


def test_collecting_goes_on_as_it_was():
    assert gc.isenabled()
    with quick_start():
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    try:
        with quick_start():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(("wish", "expected"), [("0", False), ("1", True)])
def test_keras_does_without_where_the_process_is_a_commands(wish, expected):
    code = (
        "import sys\n"
        "from separation.loading import quick_start\n"
        "with quick_start():\n"
        "    try:\n"
        "        import matplotlib\n"
        "    except ImportError:\n"
        "        pass\n"
        "print('matplotlib' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", "MIR_KERAS_EXTRAS": wish, "PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    assert done.stdout.split() == [str(expected)]
    assert "matplotlib" in KERAS_EXTRAS


def test_a_model_loaded_without_them_separates(tmp_path):
    code = (
        "import sys\n"
        "import numpy as np\n"
        "from mir.ingest.separators import model_source\n"
        "stems = model_source('mir-4s').load().separate(np.zeros((2, 4410), np.float32), 44100)\n"
        "print(len(stems), *({'IPython', 'matplotlib', 'pandas', 'sklearn'} & set(sys.modules)))\n"
        "import sklearn.svm\n"
    )
    env = {"PATH": "", "HOME": str(tmp_path), "MIR_KERAS_EXTRAS": "0", "PYTHONPATH": ":".join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env)
    assert (done.returncode, done.stdout.split()) == (0, ["4"]), done.stderr
