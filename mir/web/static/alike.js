// Sliders that answer at once: the form asks the API, the list is ranked anew, and what changed is said.
"use strict";

(() => {
  const form = document.getElementById("alike");
  if (!form) return;
  const list = document.getElementById("alike-results");
  const said = document.getElementById("alike-said");
  const trouble = document.getElementById("alike-trouble");
  const PAUSE_MS = 120;
  const ANNOUNCE_MS = 700;
  const LEAST = 0.005;  // of a contribution that is shown
  let waiting = 0, announcing = 0, asked = null;

  const signed = value => (value > 0 ? "+" : value < 0 ? "−" : "") + Math.abs(value).toFixed(value ? 2 : 0);
  const number = value => (value < 0 ? "−" : "") + Math.abs(value).toLocaleString("en", { maximumSignificantDigits: 3 });

  function question() {
    const wanted = new URLSearchParams(form.dataset.seed);
    for (const [name, value] of new FormData(form)) {
      if (name !== "genre" && value !== "") wanted.append(name, value);
    }
    const genre = form.elements.genre.value;
    for (const one of genre.split(",")) if (one.trim()) wanted.append("genre", one.trim());
    return wanted;
  }

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  const address = one => one.track_id !== null ? `/tracks/${one.track_id}` : `/artists/${one.artist_id}`;

  function row(one, best, moved) {
    const item = element("li", moved ? "moved" : "");
    const hit = element("div", "hit");
    const name = element("a", "name", one.track_id !== null ? one.track : one.artist);
    name.href = address(one);
    const by = one.track_id !== null ? one.artist : `${one.tracks} ${one.tracks === 1 ? "track" : "tracks"}`;
    const meter = element("meter");
    meter.max = Math.max(best, 0.001);
    meter.value = Math.max(one.score, 0);
    meter.setAttribute("aria-label", "score");
    hit.append(name, element("span", "by", by), meter, element("span", "score", number(one.score)));
    item.append(hit, why(one));
    return item;
  }

  function why(one) {
    const details = element("details", "why");
    const summary = element("summary", "", "Why?");
    summary.setAttribute("aria-label", `Why ${one.track_id !== null ? one.track : one.artist}?`);
    details.append(summary);
    details.addEventListener("toggle", async () => {
      if (!details.open || details.childElementCount > 1) return;
      const box = element("div", "", "…");
      details.append(box);
      const wanted = question();
      if (one.track_id !== null) wanted.set("hit_track_id", one.track_id);
      else wanted.set("hit_artist_id", one.artist_id);
      const answer = await fetch(`/api/v1/similar/why?${wanted}`);
      const body = await answer.json();
      if (!answer.ok) { box.textContent = body.detail; return; }
      box.replaceChildren(parts("More alike than usual in", body.parts.slice(0, 5).filter(p => p.contribution >= LEAST)),
        parts("Less alike than usual in", body.parts.slice(-3).reverse().filter(p => p.contribution <= -LEAST)));
    });
    return details;
  }

  function parts(title, some) {
    const box = element("div");
    if (!some.length) return box;
    box.append(element("strong", "", title));
    const items = element("ul");
    for (const part of some) {
      const values = part.query_value === null || part.hit_value === null ? ""
        : ` (${number(part.query_value)} and ${number(part.hit_value)}${part.unit && part.unit !== "1" ? " " + part.unit : ""})`;
      const item = element("li", "", `${part.feature.replaceAll("_", " ")}${values}: ${signed(part.contribution)}`);
      if (part.description) item.title = part.description;
      items.append(item);
    }
    box.append(items);
    return box;
  }

  function show(answer) {
    const before = [...list.querySelectorAll("a.name")].map(link => link.getAttribute("href"));
    const best = Math.max(...answer.results.map(one => one.score), 0.001);
    list.replaceChildren(...answer.results.map((one, place) => row(one, best, before.length && before[place] !== address(one))));
    trouble.hidden = true;
    clearTimeout(announcing);
    const first = answer.results[0];
    announcing = setTimeout(() => {
      said.textContent = first ? `${answer.results.length} ranked; first: ${first.track ?? first.artist}` : "Nobody else here has these instruments.";
    }, ANNOUNCE_MS);
  }

  function complain(text) {
    trouble.textContent = text;
    trouble.hidden = false;
  }

  async function ask() {
    asked?.abort();
    asked = new AbortController();
    if (![...form.querySelectorAll("input[type=range]")].some(slider => slider.valueAsNumber > 0)) {
      complain("Something must be alike: move at least one slider to the right.");
      return;
    }
    const wanted = question();
    try {
      const answer = await fetch(`/api/v1/similar?${wanted}`, { signal: asked.signal });
      const body = await answer.json();
      if (answer.ok) show(body);
      else complain(body.detail);
      const shown = new URLSearchParams(wanted);
      for (const name of new URLSearchParams(form.dataset.seed).keys()) shown.delete(name);
      history.replaceState(null, "", `?${shown}`);
    } catch (error) {
      if (error.name !== "AbortError") complain("The page does not answer; is mir serve still running?");
    }
  }

  form.addEventListener("input", event => {
    if (event.target.type === "range") event.target.parentElement.querySelector("output").textContent = signed(event.target.valueAsNumber);
    clearTimeout(waiting);
    waiting = setTimeout(ask, PAUSE_MS);
  });
  form.addEventListener("submit", event => { event.preventDefault(); ask(); });
  if (list.childElementCount) ask();
})();
