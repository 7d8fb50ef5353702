// The stem player: all stems of a track in step to the sample, each to be soloed or muted, no longer in memory than needed.
"use strict";

(() => {
  const root = document.getElementById("player");
  if (!root) return;
  const $ = id => document.getElementById(id);
  const address = `/api/v1/tracks/${root.dataset.track}/stems`;
  const LABELS = { vocals: "Vocals", drums: "Drums", bass: "Bass", other: "Harmony" };
  const CHUNK_S = 4, AHEAD_S = 8, POLL_MS = 700, LEAD_S = 0.08, BYTES = 2;
  const pause = ms => new Promise(done => setTimeout(done, ms));
  const clock = s => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;

  let facts = null, context = null, run = 0, playing = false;
  let startS = 0, startedAt = 0, stillS = 0;
  let sources = new Set();
  const stems = new Map();  // name → {gain, analyser, row, solo, mute, meter}

  // How far they are -------------------------------------------------------------------------------------------
  async function follow(answer) {
    let told = -1;
    for (;;) {
      const body = await answer.json();
      if (!answer.ok) { offer(body.detail); return; }
      if (body.state === "done") { ready(body); return; }
      if (body.state === "none") { offer(""); return; }
      if (body.state === "failed") { offer(`It could not be taken apart: ${body.reason}`); return; }
      $("order").hidden = true;
      $("progress").hidden = false;
      $("progress").value = body.fraction;
      const step = body.state === "waiting" ? -2 - body.ahead : Math.floor(body.fraction * 4);
      if (step !== told) {
        told = step;
        $("player-said").textContent = body.state === "waiting" ? `Waiting; ${body.ahead} before it` : `Being taken apart: ${25 * step} %`;
      }
      await pause(POLL_MS);
      answer = await fetch(address);
    }
  }

  function offer(message) {
    $("progress").hidden = true;
    $("order").hidden = false;
    $("player-said").textContent = message;
  }

  $("order").addEventListener("click", async () => follow(await fetch(address, { method: "POST" })));

  // The desk ---------------------------------------------------------------------------------------------------
  function ready(body) {
    facts = body;
    facts.length_s = facts.n_samples / facts.sample_rate_hz;
    $("progress").hidden = $("order").hidden = true;
    $("player-said").textContent = "";
    $("desk").hidden = false;
    root.querySelector(".plain").hidden = true;
    $("seek").max = facts.length_s.toFixed(1);
    for (const stem of facts.stems) stems.set(stem.stem, build(stem));
    tell();
    draw();
  }

  function build(stem) {
    const label = LABELS[stem.stem] ?? stem.stem;
    const row = document.createElement("div");
    row.className = `stem stem-${stem.stem}`;
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", label);
    const side = document.createElement("div");
    side.className = "side";
    const name = document.createElement("strong");
    name.textContent = label;
    const one = { row, stem, solo: toggle("Solo", label), mute: toggle("Mute", label), meter: document.createElement("meter") };
    one.meter.max = 60;
    one.meter.setAttribute("aria-label", `${label}: level now`);
    side.append(name, one.solo, one.mute, one.meter);
    const pictures = document.createElement("div");
    pictures.className = "pictures";
    one.canvas = document.createElement("canvas");
    one.canvas.setAttribute("role", "img");
    one.canvas.setAttribute("aria-label", `Outline of ${label.toLowerCase()}${stem.level_db === null ? ": silent" : ""}`);
    const picture = document.createElement("img");
    picture.src = stem.spectrogram;
    picture.alt = `Spectrogram of ${label.toLowerCase()}`;
    one.head = document.createElement("div");
    one.head.className = "head";
    pictures.append(one.canvas, picture, one.head);
    pictures.addEventListener("click", event => {
      const box = pictures.getBoundingClientRect();
      seek(facts.length_s * (event.clientX - box.left) / box.width);
    });
    row.append(side, pictures);
    $("stems").append(row);
    return one;
  }

  function toggle(text, label) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-label", `${text} ${label}`);
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      mix();
    });
    return button;
  }

  const pressed = button => button.getAttribute("aria-pressed") === "true";

  function sounds(one) {
    const soloed = [...stems.values()].some(other => pressed(other.solo));
    return soloed ? pressed(one.solo) : !pressed(one.mute);
  }

  function mix() {
    for (const one of stems.values()) {
      one.row.classList.toggle("off", !sounds(one));
      if (one.gain) one.gain.gain.setTargetAtTime(sounds(one) ? 1 : 0, context.currentTime, 0.012);
    }
    root.dataset.sounding = [...stems].filter(([, one]) => sounds(one)).map(([name]) => name).join(" ");
  }

  // Sound ------------------------------------------------------------------------------------------------------
  function open() {
    try { context = new AudioContext({ sampleRate: facts.sample_rate_hz }); } catch { context = new AudioContext(); }
    for (const one of stems.values()) {
      one.gain = context.createGain();
      one.gain.gain.value = sounds(one) ? 1 : 0;
      one.analyser = context.createAnalyser();
      one.analyser.fftSize = 2048;
      one.gain.connect(one.analyser).connect(context.destination);
    }
    mix();
  }

  async function chunk(one, first, n) {
    const frame = BYTES * facts.n_channels;
    const from = facts.data_offset + first * frame;
    const answer = await fetch(one.stem.audio, { headers: { Range: `bytes=${from}-${from + n * frame - 1}` } });
    if (answer.status !== 206) throw new Error(`the stem ${one.stem.stem} is not there any more`);
    const steps = new Int16Array(await answer.arrayBuffer());
    const buffer = context.createBuffer(facts.n_channels, n, facts.sample_rate_hz);
    for (let channel = 0; channel < facts.n_channels; channel++) {
      const samples = buffer.getChannelData(channel);
      for (let i = 0, at = channel; i < n; i++, at += facts.n_channels) samples[i] = steps[at] / 32768;
    }
    return buffer;
  }

  async function fill(mine) {
    const rate = facts.sample_rate_hz;
    const first = Math.round(startS * rate);
    let next = first, due = 0;
    while (next < facts.n_samples) {
      const n = Math.min(Math.round(CHUNK_S * rate), facts.n_samples - next);
      const buffers = await Promise.all([...stems.values()].map(async one => [one, await chunk(one, next, n)]));
      if (mine !== run) return;
      if (next === first) due = context.currentTime + LEAD_S;
      else if (due < context.currentTime) { startedAt += context.currentTime + LEAD_S - due; due = context.currentTime + LEAD_S; }
      if (next === first) startedAt = due;
      for (const [one, buffer] of buffers) {
        const source = context.createBufferSource();
        source.buffer = buffer;
        source.connect(one.gain);
        source.start(due);
        sources.add(source);
        source.addEventListener("ended", () => sources.delete(source));
      }
      due += n / rate;
      next += n;
      while (mine === run && due - context.currentTime > AHEAD_S) await pause(200);
      if (mine !== run) return;
    }
  }

  function position() {
    if (!playing || !startedAt) return stillS;
    return Math.min(Math.max(startS + context.currentTime - startedAt, startS), facts.length_s);
  }

  async function play() {
    if (!context) open();
    await context.resume();
    startS = stillS >= facts.length_s - 0.05 ? 0 : stillS;
    startedAt = 0;
    playing = true;
    tell();
    const mine = ++run;
    frame();
    try { await fill(mine); } catch (error) { if (mine === run) { stop(); $("player-said").textContent = `It stopped: ${error.message}`; } }
  }

  function stop() {
    stillS = position();
    playing = false;
    run++;
    for (const source of sources) source.stop();
    sources = new Set();
    tell();
  }

  function seek(toS) {
    const was = playing;
    if (was) stop();
    stillS = Math.min(Math.max(toS, 0), facts.length_s);
    if (was) play(); else tell();
  }

  $("play").addEventListener("click", () => { if (playing) stop(); else play(); });
  $("seek").addEventListener("input", event => seek(event.target.valueAsNumber));

  // What is seen -----------------------------------------------------------------------------------------------
  function frame() {
    if (!playing) return;
    tell();
    if (position() >= facts.length_s) { stop(); return; }
    requestAnimationFrame(frame);
  }

  function tell() {
    const now = position();
    $("play").textContent = playing ? "Pause" : "Play";
    root.dataset.state = playing ? "playing" : "still";
    $("time").textContent = `${clock(now)} / ${clock(facts.length_s)}`;
    $("seek").value = now;
    $("seek").setAttribute("aria-valuetext", `${clock(now)} of ${clock(facts.length_s)}`);
    for (const one of stems.values()) {
      one.head.style.setProperty("--at", now / facts.length_s);
      one.meter.value = playing ? level(one) : 0;
    }
  }

  const samples = new Float32Array(2048);
  function level(one) {
    if (!one.analyser) return 0;
    one.analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
    return Math.max(0, 60 + 10 * Math.log10(power + 1e-12));
  }

  function draw() {
    for (const { canvas, row, stem } of stems.values()) {
      const scale = window.devicePixelRatio || 1;
      const width = canvas.width = Math.max(1, Math.round(canvas.clientWidth * scale));
      const height = canvas.height = Math.max(1, Math.round(canvas.clientHeight * scale));
      const pen = canvas.getContext("2d");
      pen.fillStyle = getComputedStyle(row).getPropertyValue("--stem");
      const columns = stem.outline.length / 2, step = width / columns, middle = height / 2;
      for (let i = 0; i < columns; i++) {
        const low = stem.outline[2 * i] / 127, high = stem.outline[2 * i + 1] / 127;
        pen.fillRect(i * step, middle - high * middle, Math.max(step, 1), Math.max((high - low) * middle, scale));
      }
    }
  }

  new ResizeObserver(() => { if (facts) draw(); }).observe($("stems"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (facts) draw(); });
  fetch(address).then(follow);
})();
