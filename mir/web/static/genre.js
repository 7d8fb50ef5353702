// Why a classifier says what it says: asked for only when somebody wants to know, because it takes a moment.
"use strict";

(() => {
  const box = document.getElementById("why-genre");
  if (!box) return;
  const button = document.getElementById("ask-genre");
  const said = document.getElementById("genre-said");
  const NAMES = { vocals: "vocals", drums: "drums", bass: "bass", other: "harmony", mix: "the whole mix" };

  function list(title, reasons) {
    const heading = document.createElement("h3");
    heading.textContent = title;
    const items = document.createElement("ul");
    for (const one of reasons) {
      const item = document.createElement("li");
      const what = one.feature ? `${one.feature.replaceAll("_", " ")} (${NAMES[one.instrument] ?? one.instrument})` : NAMES[one.instrument] ?? one.instrument;
      const value = one.value === null ? "" : ` = ${one.value.toPrecision(3)}${one.unit && one.unit !== "1" ? " " + one.unit : ""}`;
      const place = one.percentile === null ? "" : `, above ${one.percentile.toFixed(0)} % of all tracks`;
      item.textContent = `${one.contribution > 0 ? "+" : "−"}${Math.abs(one.contribution).toFixed(2)}  ${what}${value}${place}`;
      items.append(item);
    }
    return [heading, items];
  }

  button.addEventListener("click", async () => {
    button.disabled = true;
    said.textContent = "Listening to what the classifier goes by …";
    const answer = await fetch(`/api/v1/tracks/${box.dataset.track}/genre`);
    const body = await answer.json();
    if (!answer.ok) { said.textContent = body.detail; button.disabled = false; return; }
    said.textContent = "";
    button.hidden = true;
    const lead = document.createElement("p");
    lead.textContent = `${body.genre}, ${(100 * body.probability).toFixed(0)} % sure. ${body.headline}`;
    box.append(lead, ...list("What each instrument adds (log-odds)", body.stems), ...list("What each number adds", body.features));
  });
})();
