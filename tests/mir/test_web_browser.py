"""A real browser uses the page: searches, moves a slider, plays a soloed stem, opens the map, filters by genre."""

from __future__ import annotations

import re
import shutil

import pytest
from web_site import EVIL, served, small_site, wait_for

pytest.importorskip("fastapi", reason="needs the extra web")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright (pip install playwright)")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium (apt install chromium)")

TIMEOUT_MS = 60_000
SIZES = {"wide": (1280, 900), "narrow": (390, 844)}


@pytest.fixture(scope="module")
def served_site(tmp_path_factory):
    from mir.maps import place

    with small_site(tmp_path_factory.mktemp("site")) as (site, ids):
        place(site.catalog, "vocals", method="pca")
        with served(site) as address:
            yield address, ids


@pytest.fixture(scope="module")
def chromium():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        yield browser
        browser.close()


@pytest.fixture(params=SIZES)
def page(request, chromium, served_site):
    """A fresh window; at its end nothing has left this machine, and nothing was wrong."""
    address, _ = served_site
    width, height = SIZES[request.param]
    scheme = "light" if request.param == "wide" else "dark"
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, base_url=address, reduced_motion="reduce"
    )
    opened = context.new_page()
    opened.set_default_timeout(TIMEOUT_MS)
    asked, wrong = [], []
    opened.on("request", lambda one: asked.append(one.url))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    yield opened
    context.close()
    assert asked
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert wrong == []


def names(page):
    return page.locator("#alike-results a.name").all_inner_texts()


def test_search_then_a_slider_changes_the_order(page):
    page.goto("/")
    page.get_by_role("searchbox", name="Artist or track").fill("singer 03")
    page.keyboard.press("Enter")
    page.locator(".chips").get_by_role("link", name=re.compile("^Singer 03")).click()
    sync_api.expect(page.get_by_role("heading", level=1)).to_have_text("Singer 03")
    before = names(page)
    assert len(before) == 10
    page.get_by_role("slider", name="Vocals").focus()
    for _ in range(45):  # the keyboard alone: from +1 to below −1
        page.keyboard.press("ArrowLeft")
    sync_api.expect(page.get_by_role("alert")).to_contain_text("Something must be alike")
    page.get_by_role("slider", name="Drums").focus()
    page.keyboard.press("End")
    sync_api.expect(page.locator("#alike-said")).to_contain_text("ranked; first")
    after = wait_for(lambda: (now := names(page)) != before and now)
    assert page.locator("output[for=w-drums]").inner_text() == "+1.00"
    address, _, weights = page.url.partition("?")
    answer = page.request.get(f"/api/v1/similar?{weights}&artist_id={address.rpartition('/')[2]}")
    assert [hit["artist"] for hit in answer.json()["results"]] == after
    page.locator("#alike-results summary").first.click()
    sync_api.expect(page.locator("#alike-results .why").first).to_contain_text("alike than usual in")
    page.reload()  # where the sliders stand is in the address
    assert names(page) == after


def test_a_soloed_stem_plays_alone(page, served_site):
    page.goto(f"/tracks/{served_site[1][7]}")
    if page.locator("#desk").is_hidden():
        page.get_by_role("button", name="Take it apart").click()
    page.locator("#desk").wait_for()
    assert page.locator(".pictures img").count() == 4
    page.get_by_role("button", name="Solo Vocals").click()
    page.get_by_role("button", name="Play", exact=True).click()
    levels = "[...document.querySelectorAll('#stems meter')].map(meter => meter.value)"
    wait_for(lambda: page.evaluate(levels)[0] > 30)
    assert page.evaluate(levels)[1:] == [0, 0, 0]
    assert page.locator("#player").get_attribute("data-sounding") == "vocals"
    page.get_by_role("button", name="Solo Vocals").click()
    page.get_by_role("button", name="Mute Drums").click()
    wait_for(lambda: (now := page.evaluate(levels))[0] > 30 and now[1] == 0 and now[2] > 30)
    page.get_by_role("slider", name="Position").focus()
    page.keyboard.press("End")
    sync_api.expect(page.locator("#player")).to_have_attribute("data-state", "still")
    sync_api.expect(page.locator("#time")).to_have_text("0:06 / 0:06")


def test_the_map_leads_to_tracks(page):
    page.goto("/map")
    canvas = page.locator("#map canvas")
    canvas.wait_for()
    page.get_by_role("searchbox", name="Search").last.fill("Song 07")
    page.locator(".mir-map-track", has_text="Song 07").first.click()
    link = page.locator("#picked a")
    sync_api.expect(link).to_contain_text("Song 07")
    link.click()
    sync_api.expect(page.get_by_role("heading", level=1)).to_have_text("Song 07")


def test_the_map_tells_what_is_under_the_mouse(page):
    page.goto("/map")
    canvas = page.locator("#map canvas")
    canvas.wait_for()
    box = canvas.bounding_box()
    tip = page.locator(".mir-map-tip")

    def found():
        for x in range(20, int(box["width"]), 24):
            for y in range(20, int(box["height"]), 24):
                page.mouse.move(box["x"] + x, box["y"] + y)
                if tip.is_visible():
                    return tip.inner_text()
        return None

    assert "Song" in found()


def test_genres_are_filtered(page):
    page.goto("/genres")
    page.locator(".chips").get_by_role("link", name=re.compile("^House")).click()
    page.get_by_label("Year from").fill("2000")
    page.get_by_label("Order").select_option("tempo_bpm")
    page.get_by_role("button", name="Show").click()
    rows = page.locator("tbody tr")
    assert rows.count() == 7
    assert {row.locator("td").nth(2).inner_text() for row in rows.all()} == {"House"}
    tempi = [float(row.locator("td").nth(3).inner_text()) for row in rows.all()]
    assert tempi == sorted(tempi)


def test_names_from_tags_are_shown_as_they_are(page):
    page.goto("/search?q=script")
    sync_api.expect(page.locator("main")).to_contain_text(EVIL)
    page.locator(".chips a").first.click()
    sync_api.expect(page.get_by_role("heading", level=1)).to_have_text(EVIL)


CONTRAST = """() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const linear = c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => [r, g, b].map(c => linear(c / 255))
    .reduce((sum, c, k) => sum + c * [0.2126, 0.7152, 0.0722][k], 0);
  const ground = node => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const node of document.querySelectorAll("main *, header *")) {
    const own = [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest("svg, .off, option, noscript")) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${node.outerHTML.slice(0, 90)}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""
UNNAMED = """() => [...document.querySelectorAll("input, select, button, a, canvas, img")].filter(node =>
  node.checkVisibility() && node.type !== "hidden" &&
  !(node.labels?.length || node.textContent.trim() || node.getAttribute("aria-label") || node.alt))
  .map(node => node.outerHTML)"""


PAGES = ["/", "/search?q=song", "/artists/{artist}", "/tracks/{track}", "/genres", "/map", "/status", "/api", "/login"]


@pytest.mark.parametrize("path", PAGES)
def test_everyone_can_use_every_page(page, served_site, path):
    first = served_site[1][7]
    artist = page.request.get("/api/v1/search?q=singer 03").json()["artists"][0]["artist_id"]
    page.goto(path.format(artist=artist, track=first))
    page.wait_for_load_state("networkidle")
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate(UNNAMED) == []
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # nothing sticks out
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    seen = []
    for _ in range(6):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.outerHTML.slice(0, 60)"))
    assert len(set(seen)) > 1 or path == "/status"


def test_it_works_without_scripts(chromium, served_site):
    address, ids = served_site
    context = chromium.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/tracks/{ids[3]}?drums=1&kind=tracks")
    assert page.locator("#alike-results a.name").count() == 10
    page.get_by_role("radio", name="artists").check()
    page.get_by_role("button", name="Rank").click()
    assert "/artists/" in page.locator("#alike-results a.name").first.get_attribute("href")
    context.close()
