"""What the page works with: the catalog, the library in memory, the queue, and small caches."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from threadpoolctl import threadpool_limits

from features import EXTRACTORS
from mir.errors import BadRequest, MirError, NotInCatalog
from mir.similarity.query import Query
from mir.web.details import Details, Distribution, distribution, read_columns, read_details
from mir.web.jobs import Jobs, Serve
from mir.web.keeper import InOrder, Keeper, Turns
from mir.web.library import Artist, Library, Track
from mir.web.stems import GB, StemCache
from mir.web.work import serve
from separation.audio import AUDIO_SUFFIXES
from separation.backend import usable_cores

if TYPE_CHECKING:
    import duckdb

    from mir.catalog import Catalog

T = TypeVar("T")

logger = logging.getLogger(__name__)

_DETAILS: Final = 512
_ANSWERS: Final = 64
"""Lists of tracks that pass a filter among them: a megabyte each in a large library."""
_MAPS: Final = 4
_UPLOADS: Final = 32
_UPLOADS_AT_ONCE: Final = 4
_DISTRIBUTIONS_S: Final = 60.0
"""How long places in a distribution may be behind."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What `mir serve` can be told.

    Parameters
    ----------
    stems_folder, stems_bytes
        Where stems for listening are kept, and how much of them; None: beside the catalog.
    most_jobs
        Pieces of long work that may wait.
    model
        What separates; None: the setting ``model``.
    """

    stems_folder: Path | None = None
    stems_bytes: int = 10 * GB
    most_jobs: int = 8
    model: str | None = None


class Recent:
    """A small memory of what was asked last; several threads may use it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._held: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is remembered under a key, making it first where it is not."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                found: T = self._held[key]
                return found
        made = make()
        self.put(key, made)
        return made

    def put(self, key: Hashable, value: object) -> None:
        """Remember something, and forget the oldest."""
        with self._lock:
            self._held[key] = value
            self._held.move_to_end(key)
            while len(self._held) > self._most:
                self._held.popitem(last=False)

    def find(self, key: Hashable) -> Any:  # noqa: ANN401 - whatever was put
        """Return what is remembered, None where nothing is."""
        with self._lock:
            return self._held.get(key)


@dataclass(frozen=True, slots=True)
class _Spread:
    made: float = 0.0
    generation: int = -1
    columns: dict[str, dict[str, Distribution]] = field(default_factory=dict)


class Site:
    """One catalog, served.

    Parameters
    ----------
    catalog
        The catalog.
    settings
        As `mir serve` was told.
    serve_work
        What the working process runs; for tests.
    """

    def __init__(self, catalog: Catalog, settings: Settings | None = None, *, serve_work: Serve = serve) -> None:
        from mir.config import setting

        self.catalog = catalog
        self.settings = settings or Settings()
        self.keeper = Keeper(catalog)
        self.turns = Turns()
        self.jobs = Jobs(serve_work, most=self.settings.most_jobs)
        self.model = str(setting("model", self.settings.model).value)
        self.scratch = Path(tempfile.mkdtemp(prefix=f"mir-serve-{os.getpid()}-"))
        folder = self.settings.stems_folder or catalog.path.with_name(catalog.path.name + ".stems")
        self.stems = StemCache(folder, self.settings.stems_bytes, self.jobs, self.model, _source_id(self.model))
        self.uploads = Recent(_UPLOADS)
        self.answers = Recent(_ANSWERS)
        self.maps = Recent(_MAPS)
        self.comparing = InOrder(usable_cores())
        # Each question is a thread; threads of the linear algebra's own below it would only stand in each other's way.
        self._one_thread = threadpool_limits(1, user_api="blas")
        self.uploading = threading.BoundedSemaphore(_UPLOADS_AT_ONCE)
        self._details = Recent(_DETAILS)
        self._spread = _Spread()
        self._spreading = threading.Lock()

    @property
    def library(self) -> Library:
        """The library as last read."""
        return self.keeper.library()

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Read the catalog itself, for one block."""
        with self.turns.turn(), self.catalog.read() as con:
            yield con

    def track(self, track_id: int) -> Track:
        """Return a track.

        Raises
        ------
        NotInCatalog
            Where there is none of that id.
        """
        found = self.library.tracks.get(track_id)
        if found is None:
            raise NotInCatalog(f"no track {track_id} in {self.catalog.path.name}")
        return found

    def artist(self, artist_id: int) -> Artist:
        """Return an artist.

        Raises
        ------
        NotInCatalog
            Where there is none of that id.
        """
        found = self.library.artists.get(artist_id)
        if found is None:
            raise NotInCatalog(f"no artist {artist_id} in {self.catalog.path.name}")
        return found

    def details(self, track_id: int) -> Details:
        """Return all of a track, as of the library's generation or later."""

        def read() -> Details:
            with self.read() as con:
                return read_details(con, track_id)

        return self._details.get((self.library.generation, track_id), read)

    def distributions(self) -> dict[str, dict[str, Distribution]]:
        """Return how every column is spread, by space; where the catalog has changed, as it was a minute ago or so."""
        spread = self._spread
        if spread.generation < 0:
            with self._spreading:
                return (self._spread if self._spread.generation >= 0 else self._read_spread()).columns
        old = spread.generation != self.library.generation and time.monotonic() - spread.made >= _DISTRIBUTIONS_S
        if old:
            self.warm()
        return spread.columns

    def warm(self) -> None:
        """Read in the background how columns are spread, so that no page waits for it."""
        if self._spreading.acquire(blocking=False):
            threading.Thread(target=self._spread_again, name="distributions", daemon=True).start()

    def _spread_again(self) -> None:
        try:
            self._read_spread()
        except MirError as error:  # those before go on
            logger.warning("distributions could not be read again: %s", error)
        finally:
            self._spreading.release()

    def _read_spread(self) -> _Spread:
        generation, columns = self.library.generation, {}
        for space in EXTRACTORS:
            with self.read() as con:
                numbers = read_columns(con, space)
            spread = {name: distribution(values) for name, values in numbers.items()}
            columns[space] = {name: one for name, one in spread.items() if one is not None}
        self._spread = _Spread(time.monotonic(), generation, columns)
        return self._spread

    def sound_file(self, track: Track) -> Path:
        """Return the file of a track, where it is one that may be listened to.

        The path is the catalog's own. A catalog may come from elsewhere: what is no sound by its name is not given.

        Raises
        ------
        NotInCatalog
            Where the file is gone, or is no sound.
        """
        if not is_sound(track.path):
            raise NotInCatalog(f"the file of {track.title!r} is not there any more; `mir ingest --prune` notices")
        return Path(os.path.realpath(track.path))

    def seed(
        self, artist_id: int | None = None, track_id: int | None = None, upload: str | None = None, q: str | None = None
    ) -> Query:
        """Return what is asked with: exactly one of the four.

        Raises
        ------
        BadRequest
            Where none or several are given.
        NotInCatalog
            Where it is not there.
        """
        if sum(given is not None for given in (artist_id, track_id, upload, q)) != 1:
            raise BadRequest("ask with one of artist_id, track_id, upload, q")
        if artist_id is not None:
            return Query("artist", self.artist(artist_id).artist, artist_id=artist_id)
        if track_id is not None:
            return Query("track", self.track(track_id).title, track_id=track_id)
        if upload is not None:
            heard = self.uploads.find(upload)
            if not isinstance(heard, Query):
                raise NotInCatalog("that file is not remembered any more; give it again")
            return heard
        return self._named(str(q))

    def close(self) -> None:
        """End what runs, and clear away."""
        import shutil

        self.jobs.close()
        self._one_thread.restore_original_limits()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _named(self, name: str) -> Query:
        from mir.catalog.artists import plain_key
        from mir.web.finding import find

        artist = self.library.by_name.get(plain_key(name))
        if artist is not None:
            return Query("artist", artist.artist, artist_id=artist.artist_id)
        found = find(self.library, name, 5)
        exact = [track for track in found.tracks if plain_key(name) in (plain_key(track.title), track.key)]
        if len(exact) == 1:
            return Query("track", exact[0].title, track_id=exact[0].track_id)
        near = [one.artist for one in found.artists] + [f"{one.artist} - {one.title}" for one in found.tracks]
        there = f"near: {', '.join(near[:5])}" if near else "GET /api/v1/search finds names"
        raise NotInCatalog(f"no artist and no one track {name!r} in {self.catalog.path.name}; {there}")


def is_sound(path: str) -> bool:
    """Whether a file is there, and called as audio files are."""
    real = Path(os.path.realpath(path))
    return real.suffix.lower() in AUDIO_SUFFIXES and real.is_file()


def _source_id(model: str) -> str | None:
    """Return what would separate now; None where the model is not on this machine."""
    from mir.ingest.separators import model_source
    from separation.errors import ModelUnknown, WeightsMissing

    try:
        return model_source(model).source_id
    except (ModelUnknown, WeightsMissing):
        return None
