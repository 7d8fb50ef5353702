"""Genre tags as people write them → one spelling a genre."""

from __future__ import annotations

import json
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mir.errors import BadRequest

VOCABULARY: dict[str, tuple[str, ...]] = {
    "Ambient": (),
    "Bluegrass": (),
    "Blues": (),
    "Breakbeat": ("breaks", "break beat"),
    "Classical": ("classic", "klassik", "classical music"),
    "Country": ("country & western",),
    "Disco": (),
    "Downtempo": ("down tempo", "trip hop", "triphop"),
    "Drum & Bass": ("dnb", "d&b", "drum bass", "jungle", "drum&bass/jungle"),
    "Dub": (),
    "Dubstep": ("dub step",),
    "Electronic": ("electronica", "electro", "electronic music"),
    "Folk": ("folk music",),
    "Funk": (),
    "Gospel": (),
    "Hip Hop": ("hiphop", "rap", "hip hop/rap", "rap/hip hop", "rap & hip hop"),
    "House": ("house music", "deep house", "tech house"),
    "Indie": ("indie pop", "indie rock"),
    "Jazz": (),
    "Latin": (),
    "Metal": ("heavy metal", "death metal", "black metal"),
    "Pop": ("pop music", "popular music"),
    "Pop/Rock": ("rock/pop", "pop rock", "rock pop", "pop & rock"),
    "Punk": ("punk rock",),
    "R&B": ("rnb", "r b", "rhythm & blues", "r&b/soul", "contemporary r&b"),
    "Reggae": (),
    "Rock": ("rock music", "rock&roll"),
    "Singer/Songwriter": ("singer songwriter",),
    "Ska": (),
    "Soul": (),
    "Soundtrack": ("ost", "score"),
    "Techno": (),
    "Trance": (),
    "UK Garage": ("2 step", "2step"),
    "World": ("world music", "weltmusik"),
}
"""Genres known without a map, and what else goes by that name (a style goes to the genre it is sold under);
a label map decides otherwise."""

_SEPARATORS = re.compile(r"[;,|/\x00]")
_WORDS = re.compile(r"[^\W_]+|[&/+]")
_JOINTS = frozenset("&/+")
_AND = frozenset({"n", "and", "und", "+"})


def key(label: str) -> str:
    """Return what two spellings of one genre have in common.

    Case, accents, spacing, hyphens and the ways to write "and" do not matter.

    Examples
    --------
    >>> key("Drum'n'Bass") == key("drum & bass") == key("Drum and  Bass")
    True
    """
    text = label
    for _ in range(2):  # folding case and taking letters apart can each leave work for the other
        text = unicodedata.normalize("NFKD", text).casefold()
    text = "".join(char for char in text if not unicodedata.combining(char))
    words = _WORDS.findall(re.sub(r"['’`´]n['’`´]", "&", text))
    while words and words[0] in _JOINTS:
        del words[0]
    while words and words[-1] in _JOINTS:
        del words[-1]
    inner = ["&" if word in _AND else word for word in words[1:-1]]
    words = [*words[:1], *inner, *words[1:][-1:]]
    joined = re.sub(r" ?([&/]) ?", r"\1", " ".join(words))
    return re.sub(r"[&/]*([&/])", r"\1", joined)


_BY_KEY: dict[str, str] = {
    key(spelling): genre for genre, others in VOCABULARY.items() for spelling in (genre, *others)
}


@dataclass(frozen=True, slots=True)
class LabelMap:
    """From a tag to a genre, a user's own rules before the built-in ones.

    Parameters
    ----------
    rules
        What a tag becomes; None drops it. Spelling of the left side does not matter (see `key`).
    """

    rules: Mapping[str, str | None] = field(default_factory=dict)

    def recognise(self, tag: str) -> str | None:
        """Return the genre of a tag that the rules or the vocabulary know, else None."""
        own = {key(name): genre for name, genre in self.rules.items()}
        wanted = key(tag)
        if wanted in own:
            return own[wanted]
        genre = _BY_KEY.get(wanted)
        # A rule may also rename what the vocabulary made of the tag: "Rap" → "Hip Hop" → "Urban".
        return own.get(key(genre), genre) if genre is not None else None

    def drops(self, tag: str) -> bool:
        """Tell whether a rule says that this tag is no genre."""
        wanted = {key(tag)} | ({key(_BY_KEY[key(tag)])} if key(tag) in _BY_KEY else set())
        return any(genre is None and key(name) in wanted for name, genre in self.rules.items())

    def choose(self, tags: Iterable[str]) -> tuple[str | None, tuple[str, ...]]:
        """Return the label of a track and its other labels.

        The first tag that is recognised, whole or in a part (``House; Techno``), is the label. Where none is,
        the first tag itself is, in title case.

        Parameters
        ----------
        tags
            Genre tags in the order of the file.

        Returns
        -------
        label, others
            None where there is no tag at all (or a rule drops every one); the others without repeats.
        """
        recognised: list[str] = []
        unknown: list[str] = []
        for tag in tags:
            for part in self._parts(tag):
                if self.drops(part) or not key(part):
                    continue
                genre = self.recognise(part)
                found = recognised if genre is not None else unknown
                found.append(genre if genre is not None else _title(part))
        ordered = list(dict.fromkeys(recognised + unknown))
        return (ordered[0], tuple(ordered[1:])) if ordered else (None, ())

    def _parts(self, tag: str) -> list[str]:
        if self.recognise(tag) is not None or self.drops(tag):
            return [tag]
        return _SEPARATORS.split(tag)


def read_label_map(path: str | Path) -> LabelMap:
    """Read a label map: a JSON or TOML table from tag to genre (JSON null or an empty string drops a tag).

    Raises
    ------
    BadRequest
        Where the file is not there, is neither, or holds anything but a flat table of strings.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        rules = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except FileNotFoundError:
        raise BadRequest(f"no label map at {str(path)!r}") from None
    except ValueError as error:  # JSON, TOML and UTF-8 errors are all ValueErrors
        raise BadRequest(f"label map {str(path)!r} is neither JSON nor TOML: {error}") from None
    if not isinstance(rules, dict) or not all(isinstance(genre, str | None) for genre in rules.values()):
        raise BadRequest(f'label map {str(path)!r} must be one flat table, {{"tag": "genre", …}}')
    return LabelMap({str(tag): (genre or None) for tag, genre in rules.items()})


def _title(tag: str) -> str:
    return key(tag).replace("&", " & ").title()
