// The map of mir.maps on this page; a track that is picked there can be gone to.
"use strict";

(async () => {
  const element = document.getElementById("map");
  const picked = document.getElementById("picked");
  const answer = await fetch(`/api/v1/map?by=${encodeURIComponent(element.dataset.by)}`);
  const data = await answer.json();
  if (!answer.ok) { picked.textContent = data.detail; return; }
  element.addEventListener("mir-map-select", event => {
    const { trackId, artist, title } = event.detail;
    const link = document.createElement("a");
    link.href = `/tracks/${trackId}`;
    link.textContent = `${artist} – ${title}`;
    picked.replaceChildren("Go to ", link);
  });
  MirMap.show(element, data);
})();
