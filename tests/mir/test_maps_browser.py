"""The page in a browser: no error, no request, no label on another, and what a click tells."""

from __future__ import annotations

import importlib.util
import json
import shutil

import pytest
from map_library import make

from mir.clusters import cluster
from mir.maps import draw_map, map_data
from mir.maps.page import script, style

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("playwright") is None, reason="needs playwright: pip install playwright"
    ),
    pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium on the path"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

HOSTILE = "<img src=x onerror=document.title='owned'></script><script>document.title='owned'</script>"
NAMES = {"House 0": HOSTILE, "House 1": "Désirée"}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    catalog = make(folder / "mir.duckdb", each=12, name=lambda title: NAMES.get(title, title))
    cluster(catalog, "drums")
    draw_map(catalog, "drums", folder / "map.html", method="pca")
    return catalog


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def opened(browser, library):
    """The page, and what went wrong on it or left it."""
    page = browser.new_page(viewport={"width": 1000, "height": 700})
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.append(request.url) if "map.html" not in request.url else None)
    page.goto(f"file://{library.path.with_name('map.html')}")
    page.wait_for_function("document.getElementById('map').mirMap?.frameMs > 0")
    page.evaluate("window.view = document.getElementById('map').mirMap")
    yield page, wrong
    page.close()
    assert wrong == []


def settle(page):
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def boxes(page):
    settle(page)
    return page.evaluate("view.boxes")


def overlaps(a, b):
    return a["left"] < b["right"] and b["left"] < a["right"] and a["top"] < b["bottom"] and b["top"] < a["bottom"]


@pytest.mark.parametrize("kind", ["clusters", "artists"])
def test_labels_lie_on_no_other_at_any_zoom(opened, kind):
    page, _ = opened
    page.select_option("label:has-text('Names') select", kind)
    seen = 0
    for step in range(14):
        found = boxes(page)
        seen += len(found)
        assert not any(overlaps(a, b) for place, a in enumerate(found) for b in found[:place]), step
        assert all(
            box["left"] >= 0 and box["right"] <= 700 and box["top"] >= 0 and box["bottom"] <= 700 for box in found
        )
        page.evaluate("view.zoom(1.5, ...view.at(17))")
    assert seen > 20


def test_names_come_with_the_zoom(opened):
    page, _ = opened
    page.evaluate("view.zoom(300, ...view.at(5))")
    assert 1 <= page.evaluate("view.inView().length") <= 5
    assert len(boxes(page)) >= 1
    page.select_option("label:has-text('Names') select", "none")
    assert boxes(page) == []


def test_a_click_tells_the_track_and_lists_its_nearest(opened, library):
    page, _ = opened
    page.evaluate("document.addEventListener('mir-map-select', (event) => { window.told = event.detail; })")
    index = page.evaluate("view.data.titles.indexOf('Ballad 7')")
    page.evaluate("(index) => view.zoom(40, ...view.at(index))", index)
    settle(page)
    x, y = page.evaluate("(index) => view.at(index)", index)
    page.mouse.move(x, y)
    assert page.locator(".mir-map-tip").inner_text().splitlines()[:2] == ["Ballad 7", "Artist of Ballad 7"]
    page.mouse.click(x, y)
    told = page.evaluate("window.told")
    ((track_id, artist),) = library.fetch("SELECT track_id, artist FROM tracks WHERE title = 'Ballad 7'").rows
    assert told == {"trackId": track_id, "index": index, "artist": artist, "title": "Ballad 7"}
    shown = page.locator(".mir-map-details .mir-map-track").all_inner_texts()
    wanted = library.similar_tracks("Ballad 7", by={"drums": 1.0}, k=6)
    assert [text.splitlines() for text in shown] == [
        [f"{row.artist} – {row.track}", f"{row.similarity:.2f}"] for row in wanted.itertuples()
    ]
    page.keyboard.press("Escape")
    assert page.locator(".mir-map-details").inner_text() == ""


def test_what_tags_say_stays_text(opened):
    page, _ = opened
    page.evaluate("view.select(view.data.titles.findIndex((title) => title.startsWith('<img')))")
    assert page.locator(".mir-map-details h2").inner_text() == HOSTILE
    assert page.locator("img").count() == 0
    assert page.title() == "50 tracks by drums"


def test_search_ignores_accents_and_case(opened):
    page, _ = opened
    page.fill("input[type=search]", "DESIREE artist")
    assert page.locator(".mir-map-results .mir-map-track").all_inner_texts() == ["Artist of Désirée – Désirée"]
    assert page.evaluate("view.lit.reduce((a, b) => a + b)") == 1
    page.keyboard.press("Enter")
    assert page.evaluate("view.inView().length") < 50
    page.fill("input[type=search]", "nobody at all")
    assert "No track is called that" in page.locator(".mir-map-results").inner_text()
    page.fill("input[type=search]", "")
    assert page.evaluate("view.lit") is None


def test_the_legend_picks_out_what_one_wants(opened):
    page, _ = opened
    rows = page.locator(".mir-map-category")
    assert rows.count() == 5
    rows.filter(has_text="House").click()
    assert page.evaluate("view.lit.reduce((a, b) => a + b)") == 12
    rows.filter(has_text="no genre").click()
    assert page.evaluate("view.lit.reduce((a, b) => a + b)") == 14
    page.select_option("label:has-text('Colour') select", "tempo_bpm")
    assert page.evaluate("view.lit") is None
    assert page.locator(".mir-map-ends span").count() == 3


def test_mouse_and_keys_move_the_map(opened):
    page, _ = opened
    left, scale = page.evaluate("[view.left, view.scale]")
    page.mouse.move(300, 300)
    page.mouse.down()
    page.mouse.move(360, 300, steps=4)
    page.mouse.up()
    assert page.evaluate("view.left") - left == pytest.approx(60, abs=16)
    assert page.evaluate("view.selected") == -1  # a drag is no click
    page.mouse.wheel(0, -200)
    page.wait_for_function("(scale) => view.scale > scale", arg=scale)
    page.locator("canvas").focus()
    page.keyboard.press("0")
    assert page.evaluate("[view.left, view.scale]") == pytest.approx([left, scale])


def test_a_servers_page_runs_it_under_a_strict_policy(browser, library):
    parts = {
        "/": ("text/html", '<link rel="stylesheet" href="map.css"><main id="map"></main><script src="map.js"></script>'
              '<script src="start.js"></script>'),
        "/map.js": ("text/javascript", script()),
        "/map.css": ("text/css", style() + ".mir-map { height: 500px; }"),
        "/start.js": ("text/javascript", "fetch('data.json').then((answer) => answer.json()).then((data) =>"
                      " MirMap.show(document.getElementById('map'), data));"),
        "/data.json": ("application/json", json.dumps(map_data(library, "drums"))),
    }  # fmt: skip
    policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"
    page = browser.new_page(color_scheme="dark")
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))

    def answer(route):
        kind, body = parts[route.request.url.removeprefix("http://mir.test")]
        route.fulfill(body=body, content_type=kind, headers={"Content-Security-Policy": policy})

    page.route("http://mir.test/**", answer)
    page.goto("http://mir.test/")
    page.wait_for_function("document.getElementById('map').mirMap?.frameMs > 0")
    assert page.evaluate("document.getElementById('map').mirMap.paints[0]") == "#4DA3E0"
    page.evaluate("document.getElementById('map').mirMap.destroy()")
    assert page.locator("canvas").count() == 0
    assert wrong == []
    page.close()
