"""What every page must be: well nested, whole in itself, without scripts."""

from __future__ import annotations

from html.parser import HTMLParser

_EMPTY = {"meta", "img"}


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        assert tag != "script", "no page has a script"
        for name, value in attributes:
            assert not name.startswith("on"), f"{tag} {name}={value}"
            if name in ("src", "href", "action", "poster", "srcset"):
                assert value.startswith("data:"), f"{tag} asks for {value}"
        self.tags.append(tag)
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in _EMPTY:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def check_page(page):
    """Check a page, and return its tags."""
    return _read(page).tags


def text_of(page):
    """Return what a reader sees, after the same checks."""
    return "".join(_read(page).text)


def _read(page):
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == [], "every element is closed"
    assert page.startswith("<!doctype html>")
    assert "default-src 'none'" in page
    assert "url(" not in page
    assert "@import" not in page
    return reader
