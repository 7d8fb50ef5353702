/* A map of a music library on a canvas: MirMap.show(element, data), where data is what mir.maps.map_data returns.

   Needs nothing else: no library, no request, no inline handler, so that it runs under "script-src 'self'". A click on
   a track sends "mir-map-select" from the element, with detail {trackId, index, artist, title}. The view is returned,
   and is element.mirMap: select(index), find(text), colourBy(column), fit(indices), destroy(). What comes from tags is
   only ever set as text. */
"use strict";

const MirMap = (() => {
  const FORMAT = 1;
  const MISSING_16 = 0xffff;
  const MISSING_32 = 0xffffffff;
  const SHADES = 32; // steps of a scale of amounts
  const CHUNKS = 12; // so many times each colour has its turn: none lies on top of all others
  const SQUARES = 12000; // from so many points in view on, squares: they are quicker, and too small to be told from discs
  const HIT_PX = 14;
  const PALE = 0.16; // of a colour, for what was not asked for
  const MOST_ZOOM = 400;

  // ------------------------------------------------------------------ small helpers

  function unpack(text, Type) {
    const characters = atob(text);
    const bytes = new Uint8Array(characters.length);
    for (let i = 0; i < characters.length; i++) bytes[i] = characters.charCodeAt(i);
    return new Type(bytes.buffer);
  }

  function make(tag, className, text) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  }

  function plain(text) {
    return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  }

  function overlap(a, b) {
    return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  }

  function written(value) {
    if (Number.isInteger(value) || Math.abs(value) >= 1000) return String(Math.round(value));
    return String(Number(value.toPrecision(3)));
  }

  function mixed(stops, at) {
    const place = Math.min(Math.max(at, 0), 1) * (stops.length - 1);
    const left = Math.min(Math.floor(place), stops.length - 2);
    const part = (hex, k) => parseInt(hex.slice(1 + 2 * k, 3 + 2 * k), 16);
    const channel = (k) =>
      Math.round(part(stops[left], k) + (part(stops[left + 1], k) - part(stops[left], k)) * (place - left));
    return `#${[0, 1, 2].map((k) => channel(k).toString(16).padStart(2, "0")).join("")}`;
  }

  // ------------------------------------------------------------------ the tracks

  class Tracks {
    constructor(data) {
      this.count = data.count;
      const scale = (codes, size) => Float32Array.from(codes, (code) => (code / 0xffff) * size);
      this.height = data.height; // in widths
      this.x = scale(unpack(data.x, Uint16Array), 1);
      this.y = scale(unpack(data.y, Uint16Array), data.height);
      this.ids = unpack(data.track_ids, Float64Array);
      this.titles = data.titles;
      this.artistNames = data.artists.names;
      this.artistCodes = unpack(data.artists.codes, Uint32Array);
      this.each = data.neighbours.each;
      this.places = unpack(data.neighbours.places, Uint32Array);
      this.similarities = unpack(data.neighbours.similarities, Uint16Array);
      this.columns = new Map();
      for (const column of data.columns) {
        const Type = column.kind === "amounts" ? Uint16Array : Uint32Array;
        this.columns.set(column.name, { ...column, codes: unpack(column.codes, Type) });
      }
      this.buildGrid();
    }

    artist(i) {
      return this.artistNames[this.artistCodes[i]];
    }

    label(i) {
      return `${this.artist(i)} – ${this.titles[i]}`;
    }

    value(column, i) {
      const code = column.codes[i];
      if (column.kind === "categories") return code === MISSING_32 ? column.missing : column.names[code];
      if (code === MISSING_16) return "–";
      return written(column.least + ((column.most - column.least) * code) / (MISSING_16 - 1));
    }

    neighbours(i) {
      const found = [];
      for (let k = i * this.each; k < (i + 1) * this.each; k++) {
        found.push({ index: this.places[k], similarity: this.similarities[k] / 32767 - 1 });
      }
      return found;
    }

    /* Cells of a few tracks each, so that what lies under the mouse is found without looking at all of them. */
    buildGrid() {
      this.side = Math.max(1, Math.min(512, Math.ceil(Math.sqrt(this.count / 4))));
      const cells = new Uint32Array(this.count);
      this.starts = new Uint32Array(this.side * this.side + 1);
      for (let i = 0; i < this.count; i++) {
        cells[i] = this.row(this.y[i]) * this.side + this.column(this.x[i]);
        this.starts[cells[i] + 1]++;
      }
      for (let cell = 0; cell < this.side * this.side; cell++) this.starts[cell + 1] += this.starts[cell];
      const next = this.starts.slice();
      this.inCells = new Uint32Array(this.count);
      for (let i = 0; i < this.count; i++) this.inCells[next[cells[i]]++] = i;
    }

    column(x) {
      return Math.min(this.side - 1, Math.max(0, Math.floor(x * this.side)));
    }

    row(y) {
      return Math.min(this.side - 1, Math.max(0, Math.floor((y / this.height) * this.side)));
    }

    nearest(x, y, reach, allowed) {
      let best = -1;
      let least = reach * reach;
      for (let row = this.row(y - reach); row <= this.row(y + reach); row++) {
        const from = this.starts[row * this.side + this.column(x - reach)];
        const to = this.starts[row * this.side + this.column(x + reach) + 1];
        for (let k = from; k < to; k++) {
          const i = this.inCells[k];
          const distance = (this.x[i] - x) ** 2 + (this.y[i] - y) ** 2;
          if (distance <= least && allowed(i)) {
            least = distance;
            best = i;
          }
        }
      }
      return best;
    }

    matching(words) {
      this.searched ??= this.titles.map((title, i) => plain(`${this.artist(i)} ${title}`));
      const found = [];
      for (let i = 0; i < this.count; i++) {
        if (words.every((word) => this.searched[i].includes(word))) found.push(i);
      }
      return found;
    }

    /* One place for each artist: the track nearest to the middle of theirs. */
    artistLabels() {
      const n = this.artistNames.length;
      const sums = Array.from({ length: n }, () => ({ x: 0, y: 0, size: 0, best: -1, far: Infinity }));
      const every = (work) => {
        for (let i = 0; i < this.count; i++) work(sums[this.artistCodes[i]], i);
      };
      every((sum, i) => {
        sum.x += this.x[i];
        sum.y += this.y[i];
        sum.size++;
      });
      every((sum, i) => {
        const far = (this.x[i] - sum.x / sum.size) ** 2 + (this.y[i] - sum.y / sum.size) ** 2;
        if (far < sum.far) [sum.far, sum.best] = [far, i];
      });
      return sums
        .map((sum, code) => ({ lines: [this.artistNames[code]], x: this.x[sum.best], y: this.y[sum.best], size: sum.size }))
        .sort((a, b) => b.size - a.size);
    }
  }

  // ------------------------------------------------------------------ the map

  class View {
    constructor(element, data) {
      if (data.format !== FORMAT) throw new Error(`map data of format ${data.format}, this map.js knows ${FORMAT}`);
      this.element = element;
      this.data = data;
      this.tracks = new Tracks(data);
      this.sprites = new Map();
      this.selected = -1;
      this.hovered = -1;
      this.found = null; // what a search left, null without one
      this.isolated = new Set(); // categories picked in the legend
      this.boxes = []; // of labels, as last drawn
      this.clusterLabels = data.clusters.map((one) => ({
        lines: one.name.split(", "), x: one.x, y: one.y * data.height, size: one.size, strong: true,
      }));
      this.labels = data.clusters.length ? "clusters" : "artists";
      this.build();
      this.theme = matchMedia("(prefers-color-scheme: dark)");
      this.theme.addEventListener("change", (this.onTheme = () => this.colourBy(this.colour.name)));
      this.colourBy(data.colour);
      this.observer = new ResizeObserver(() => this.resize());
      this.observer.observe(this.stage);
      this.resize();
    }

    destroy() {
      this.observer.disconnect();
      this.theme.removeEventListener("change", this.onTheme);
      this.element.replaceChildren();
    }

    // -------------------------------------------------------------- what stands around it

    build() {
      const { data, element } = this;
      element.classList.add("mir-map");
      const panel = make("aside", "mir-map-panel");
      panel.append(make("h1", "", data.title), make("p", "mir-map-note", data.note));
      this.search = make("input");
      Object.assign(this.search, { type: "search", placeholder: "Artist or title", autocomplete: "off" });
      this.results = make("div", "mir-map-results");
      this.results.setAttribute("aria-live", "polite");
      this.colourChoice = this.choice([...this.tracks.columns.keys()], (name) => this.colourBy(name));
      const kinds = [...(this.clusterLabels.length ? ["clusters"] : []), "artists", "none"];
      this.labelChoice = this.choice(kinds, (kind) => {
        this.labels = kind;
        this.redraw();
      });
      this.legend = make("div", "mir-map-legend");
      this.details = make("section", "mir-map-details");
      this.details.setAttribute("aria-live", "polite");
      panel.append(
        this.field("Search", this.search), this.results, this.details,
        this.field("Colour", this.colourChoice), this.legend, this.field("Names", this.labelChoice),
      );
      this.stage = make("div", "mir-map-stage");
      this.canvas = make("canvas");
      this.canvas.tabIndex = 0;
      this.canvas.setAttribute("role", "img");
      this.canvas.setAttribute(
        "aria-label", `${data.title}. Arrow keys move, plus and minus zoom, 0 shows everything, Escape lets go.`,
      );
      this.tip = make("div", "mir-map-tip");
      this.tip.hidden = true;
      this.reset = make("button", "mir-map-reset", "Show all");
      this.reset.type = "button";
      this.stage.append(this.canvas, this.tip, this.reset);
      element.replaceChildren(this.stage, panel);
      this.listen();
    }

    field(name, control) {
      const label = make("label", "mir-map-field");
      label.append(make("span", "", name), control);
      return label;
    }

    choice(names, chosen) {
      const select = make("select");
      for (const name of names) {
        const option = make("option", "", name.replaceAll("_", " "));
        option.value = name;
        select.append(option);
      }
      select.addEventListener("change", () => chosen(select.value));
      return select;
    }

    button(className, text, pressed) {
      const button = make("button", className, text);
      button.type = "button";
      button.addEventListener("click", pressed);
      return button;
    }

    listen() {
      const { canvas } = this;
      const pointers = new Map();
      let moved = 0;
      const at = (event) => {
        const box = canvas.getBoundingClientRect();
        return { x: event.clientX - box.left, y: event.clientY - box.top };
      };
      const spread = () => {
        const [a, b] = [...pointers.values()];
        return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, size: Math.hypot(a.x - b.x, a.y - b.y) || 1 };
      };
      canvas.addEventListener("pointerdown", (event) => {
        canvas.setPointerCapture(event.pointerId);
        pointers.set(event.pointerId, at(event));
        if (pointers.size === 1) moved = 0;
      });
      canvas.addEventListener("pointermove", (event) => {
        const now = at(event);
        const before = pointers.get(event.pointerId);
        if (!before) return this.hover(now);
        const pinch = pointers.size === 2 ? spread() : null;
        pointers.set(event.pointerId, now);
        moved += Math.hypot(now.x - before.x, now.y - before.y);
        if (pinch) {
          const after = spread();
          this.zoom(after.size / pinch.size, after.x, after.y);
          this.pan(after.x - pinch.x, after.y - pinch.y);
        } else if (moved > 4) {
          this.pan(now.x - before.x, now.y - before.y);
        }
        return undefined;
      });
      canvas.addEventListener("pointerup", (event) => {
        const alone = pointers.size === 1;
        pointers.delete(event.pointerId);
        if (alone && moved <= 4) this.select(this.under(at(event)));
      });
      canvas.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
      canvas.addEventListener("pointerleave", () => this.hover(null));
      canvas.addEventListener("dblclick", (event) => this.zoom(2, at(event).x, at(event).y));
      canvas.addEventListener("wheel", (event) => {
        event.preventDefault();
        const lines = event.deltaMode === 1 ? 24 : 1;
        this.zoom(Math.exp((-event.deltaY * lines) / 400), at(event).x, at(event).y);
      }, { passive: false });
      canvas.addEventListener("keydown", (event) => {
        const keys = {
          ArrowLeft: () => this.pan(60, 0), ArrowRight: () => this.pan(-60, 0),
          ArrowUp: () => this.pan(0, 60), ArrowDown: () => this.pan(0, -60),
          "+": () => this.zoom(1.4), "=": () => this.zoom(1.4), "-": () => this.zoom(1 / 1.4), 0: () => this.fit(),
        };
        if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
        event.preventDefault();
        keys[event.key]();
      });
      this.element.addEventListener("keydown", (event) => {
        if (event.key === "Escape") this.select(-1);
      });
      this.reset.addEventListener("click", () => this.fit());
      this.search.addEventListener("input", () => this.find(this.search.value));
      this.search.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && this.found?.length) this.fit(this.found);
      });
    }

    // -------------------------------------------------------------- where one looks

    resize() {
      const { clientWidth: width, clientHeight: height } = this.stage;
      if (!width || !height) return;
      const first = !this.width;
      const [dx, dy] = first ? [0, 0] : [(width - this.width) / 2, (height - this.height) / 2];
      [this.width, this.height, this.density] = [width, height, window.devicePixelRatio || 1];
      this.canvas.width = Math.round(width * this.density);
      this.canvas.height = Math.round(height * this.density);
      this.sprites.clear();
      if (first) this.fit();
      else this.pan(dx, dy);
      this.draw(); // at once: a canvas is empty after its size was set
    }

    fit(indices) {
      const { x, y } = this.tracks;
      let [left, top, right, bottom] = [0, 0, 1, this.tracks.height];
      if (indices) {
        [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
        for (const i of indices) {
          [left, right] = [Math.min(left, x[i]), Math.max(right, x[i])];
          [top, bottom] = [Math.min(top, y[i]), Math.max(bottom, y[i])];
        }
      }
      const margin = Math.min(60, this.width / 8, this.height / 8);
      const wide = (this.width - 2 * margin) / Math.max(right - left, 1e-9);
      const high = (this.height - 2 * margin) / Math.max(bottom - top, 1e-9);
      const all = Math.min(this.width - 2 * margin, (this.height - 2 * margin) / this.tracks.height);
      this.least = all / 2;
      this.whole = all;
      this.scale = Math.min(wide, high, indices ? all * 30 : Infinity);
      this.left = this.width / 2 - ((left + right) / 2) * this.scale;
      this.top = this.height / 2 - ((top + bottom) / 2) * this.scale;
      this.redraw();
    }

    pan(dx, dy) {
      this.left += dx;
      this.top += dy;
      // A corner of the map stays in sight, whatever happens.
      const edge = 40;
      this.left = Math.min(Math.max(this.left, edge - this.scale), this.width - edge);
      this.top = Math.min(Math.max(this.top, edge - this.scale * this.tracks.height), this.height - edge);
      this.redraw();
    }

    zoom(factor, x = this.width / 2, y = this.height / 2) {
      const scale = Math.min(Math.max(this.scale * factor, this.least), this.whole * MOST_ZOOM);
      this.left = x - ((x - this.left) * scale) / this.scale;
      this.top = y - ((y - this.top) * scale) / this.scale;
      this.scale = scale;
      this.pan(0, 0);
    }

    under(point) {
      if (!point) return -1;
      const reach = Math.max(HIT_PX, this.radius() + 2) / this.scale;
      const [x, y] = [(point.x - this.left) / this.scale, (point.y - this.top) / this.scale];
      return this.tracks.nearest(x, y, reach, (i) => this.bright(i));
    }

    // -------------------------------------------------------------- what one picks

    hover(point) {
      const index = this.under(point);
      if (index !== this.hovered) {
        this.hovered = index;
        this.canvas.classList.toggle("mir-map-over", index >= 0);
        this.redraw();
        if (index >= 0) this.fillTip(index);
      }
      this.tip.hidden = index < 0;
      if (index < 0) return;
      const { offsetWidth: width, offsetHeight: height } = this.tip;
      const left = point.x + 16 + width > this.width ? point.x - 16 - width : point.x + 16;
      const top = Math.min(Math.max(point.y - height / 2, 4), this.height - height - 4);
      this.tip.style.transform = `translate(${Math.max(4, left)}px, ${top}px)`;
    }

    fillTip(index) {
      const lines = [make("strong", "", this.tracks.titles[index]), make("span", "", this.tracks.artist(index))];
      for (const name of new Set([this.colour.name, "genre", "cluster"])) {
        const column = this.tracks.columns.get(name);
        if (!column) continue;
        const value = this.tracks.value(column, index);
        const named = value === column.missing ? value : `${name.replaceAll("_", " ")}: ${value}`;
        lines.push(make("span", "mir-map-value", named));
      }
      this.tip.replaceChildren(...lines);
    }

    select(index) {
      if (index === this.selected) return;
      this.selected = index;
      this.details.replaceChildren();
      this.redraw();
      if (index < 0) return;
      const { tracks } = this;
      this.details.append(make("h2", "", tracks.titles[index]), make("p", "", tracks.artist(index)));
      const list = make("ol");
      for (const { index: other, similarity } of tracks.neighbours(index)) {
        const item = make("li");
        const button = this.button("mir-map-track", tracks.label(other), () => this.goTo(other));
        button.append(make("span", "mir-map-number", similarity.toFixed(2)));
        item.append(button);
        list.append(item);
      }
      if (tracks.each) this.details.append(make("h3", "", "Nearest, and how alike (cosine)"), list);
      const values = make("dl");
      for (const column of tracks.columns.values()) {
        values.append(make("dt", "", column.name.replaceAll("_", " ")), make("dd", "", tracks.value(column, index)));
      }
      const more = make("details");
      more.append(make("summary", "", "Everything measured"), values);
      this.details.append(more);
      const detail = {
        trackId: tracks.ids[index], index, artist: tracks.artist(index), title: tracks.titles[index],
      };
      this.element.dispatchEvent(new CustomEvent("mir-map-select", { bubbles: true, detail }));
    }

    goTo(index) {
      const x = this.tracks.x[index] * this.scale + this.left;
      const y = this.tracks.y[index] * this.scale + this.top;
      const edge = 40;
      if (x < edge || y < edge || x > this.width - edge || y > this.height - edge) {
        this.pan(this.width / 2 - x, this.height / 2 - y);
      }
      this.select(index);
    }

    find(text) {
      const words = plain(text).split(/\s+/).filter(Boolean);
      this.found = words.length ? this.tracks.matching(words) : null;
      this.hover(null);
      this.mark();
      this.results.replaceChildren();
      if (!this.found) return;
      const shown = this.found.slice(0, 30);
      const count = this.found.length;
      const said = count === 1 ? "1 track" : `${count.toLocaleString("en")} tracks`;
      this.results.append(make("p", "mir-map-note", count ? `${said}; Enter zooms in on them` : "No track is called that"));
      for (const i of shown) this.results.append(this.button("mir-map-track", this.tracks.label(i), () => this.goTo(i)));
      if (count > shown.length) this.results.append(make("p", "mir-map-note", `and ${(count - shown.length).toLocaleString("en")} more`));
    }

    // -------------------------------------------------------------- colours

    colourBy(name) {
      const column = this.tracks.columns.get(name) ?? [...this.tracks.columns.values()][0];
      const palette = this.data.palettes[this.theme.matches ? "dark" : "light"];
      if (column !== this.colour) this.isolated.clear();
      this.colour = column;
      this.colourChoice.value = column.name;
      const categorical = column.kind === "categories";
      this.paints = categorical
        ? [...palette.categories, palette.others]
        : [...Array.from({ length: SHADES }, (_, k) => mixed(palette.amounts, k / (SHADES - 1))), palette.others];
      const grey = this.paints.length - 1;
      this.codes = new Uint8Array(this.tracks.count);
      const step = (column.most - column.least) / (MISSING_16 - 1);
      for (let i = 0; i < this.tracks.count; i++) {
        const code = column.codes[i];
        if (categorical) {
          const paint = code === MISSING_32 ? -1 : column.colours[code];
          this.codes[i] = paint < 0 ? grey : paint;
        } else {
          const at = (column.least + code * step - column.low) / (column.high - column.low);
          this.codes[i] = code === MISSING_16 ? grey : Math.round(Math.min(Math.max(at, 0), 1) * (SHADES - 1));
        }
      }
      this.sprites.clear();
      this.buildLegend(palette);
      this.mark();
    }

    buildLegend(palette) {
      const column = this.colour;
      if (column.kind === "amounts") {
        const bar = make("div", "mir-map-bar");
        bar.style.backgroundImage = `linear-gradient(to right, ${palette.amounts.join(", ")})`;
        const ends = make("div", "mir-map-ends");
        for (const value of [column.low, (column.low + column.high) / 2, column.high]) ends.append(make("span", "", written(value)));
        this.legend.replaceChildren(bar, ends, make("p", "mir-map-note", `${column.name}; the ends stand for all beyond`));
        return;
      }
      const counts = new Uint32Array(column.names.length + 1);
      for (const code of column.codes) counts[code === MISSING_32 ? column.names.length : code]++;
      const rows = [];
      let [others, inOthers] = [0, 0];
      column.names.forEach((name, code) => {
        if (column.colours[code] < 0) [others, inOthers] = [others + 1, inOthers + counts[code]];
        else if (counts[code]) rows.push(this.legendRow(name, palette.categories[column.colours[code]], counts[code], code));
      });
      if (others) rows.push(this.legendRow(`${others} others`, palette.others, inOthers, -2));
      if (counts[column.names.length]) {
        rows.push(this.legendRow(column.missing, palette.others, counts[column.names.length], -1));
      }
      this.legend.replaceChildren(...rows);
    }

    /* code: a category, -1 for those without, -2 for all that share the grey */
    legendRow(name, colour, count, code) {
      const row = this.button("mir-map-category", "", () => {
        if (!this.isolated.delete(code)) this.isolated.add(code);
        row.setAttribute("aria-pressed", String(this.isolated.has(code)));
        this.mark();
      });
      row.setAttribute("aria-pressed", String(this.isolated.has(code)));
      const swatch = make("i");
      swatch.style.backgroundColor = colour;
      row.append(swatch, make("span", "", name), make("span", "mir-map-number", count.toLocaleString("en")));
      return row;
    }

    /* Settle which tracks are bright, and in which order all are drawn: the pale ones first, then colours in turns. */
    mark() {
      const { count } = this.tracks;
      this.lit = this.found || this.isolated.size ? new Uint8Array(count) : null;
      if (this.lit) {
        const inSearch = this.found ? new Uint8Array(count) : null;
        for (const i of this.found ?? []) inSearch[i] = 1;
        const { codes, colours } = this.colour;
        for (let i = 0; i < count; i++) {
          let inLegend = true;
          if (this.isolated.size) {
            const missing = codes[i] === MISSING_32;
            const code = missing ? -1 : colours[codes[i]] < 0 ? -2 : codes[i];
            inLegend = this.isolated.has(code);
          }
          this.lit[i] = inLegend && (!inSearch || inSearch[i]) ? 1 : 0;
        }
      }
      const kinds = this.paints.length;
      const keys = new Uint16Array(count);
      const starts = new Uint32Array((CHUNKS + 1) * kinds + 1);
      for (let i = 0; i < count; i++) {
        const chunk = this.bright(i) ? 1 + ((i * 7919) % CHUNKS) : 0;
        keys[i] = chunk * kinds + this.codes[i];
        starts[keys[i] + 1]++;
      }
      for (let k = 0; k + 1 < starts.length; k++) starts[k + 1] += starts[k];
      this.order = new Uint32Array(count);
      for (let i = 0; i < count; i++) this.order[starts[keys[i]]++] = i;
      this.redraw();
    }

    bright(i) {
      return !this.lit || this.lit[i] === 1;
    }

    // -------------------------------------------------------------- drawing

    redraw() {
      if (this.waiting || !this.width) return;
      this.waiting = true;
      requestAnimationFrame(() => {
        this.waiting = false;
        this.draw();
      });
    }

    radius() {
      const alone = Math.min(6, Math.max(1.1, 130 / Math.sqrt(this.tracks.count)));
      return Math.min(8, alone * Math.max(1, Math.sqrt(this.scale / this.whole)) ** 0.9);
    }

    draw() {
      const started = performance.now();
      const context = this.canvas.getContext("2d");
      const style = getComputedStyle(this.element);
      this.ink = { paper: style.getPropertyValue("--paper").trim(), text: style.getPropertyValue("--text"), font: style.fontFamily };
      context.setTransform(this.density, 0, 0, this.density, 0, 0);
      context.clearRect(0, 0, this.width, this.height);
      const seen = this.inView();
      this.drawPoints(context, seen);
      this.drawPicked(context);
      this.drawLabels(context, seen);
      this.frameMs = performance.now() - started;
    }

    inView() {
      const { x, y } = this.tracks;
      const margin = this.radius() / this.scale;
      const [left, right] = [-this.left / this.scale - margin, (this.width - this.left) / this.scale + margin];
      const [top, bottom] = [-this.top / this.scale - margin, (this.height - this.top) / this.scale + margin];
      const found = new Uint32Array(this.tracks.count);
      let n = 0;
      for (const i of this.order) {
        if (x[i] > left && x[i] < right && y[i] > top && y[i] < bottom) found[n++] = i;
      }
      return found.subarray(0, n);
    }

    drawPoints(context, seen) {
      if (seen.length > SQUARES) return this.drawSquares(context, seen);
      const { x, y } = this.tracks;
      const radius = this.radius();
      let last = -1;
      let sprite = null;
      for (const i of seen) {
        const bright = this.bright(i);
        const paint = this.codes[i] + (bright ? 0 : 256);
        if (paint !== last) {
          last = paint;
          context.globalAlpha = bright ? 0.95 : PALE;
          sprite = this.sprite(this.codes[i], radius);
        }
        const [px, py] = [x[i] * this.scale + this.left, y[i] * this.scale + this.top];
        context.drawImage(sprite.image, px - sprite.half, py - sprite.half, 2 * sprite.half, 2 * sprite.half);
      }
      context.globalAlpha = 1;
      return undefined;
    }

    /* Pixels set one by one: ten times as quick as asking the canvas for as many rectangles. */
    drawSquares(context, seen) {
      const { x, y } = this.tracks;
      const { width, height } = this.canvas;
      if (this.image?.width !== width || this.image?.height !== height) {
        this.image = context.createImageData(width, height);
        this.pixels = new Uint32Array(this.image.data.buffer);
      }
      this.pixels.fill(0);
      const word = (hex) => {
        const at = (k) => parseInt(hex.slice(1 + 2 * k, 3 + 2 * k), 16);
        return ((255 << 24) | (at(2) << 16) | (at(1) << 8) | at(0)) >>> 0;
      };
      const strong = this.paints.map(word);
      const pale = this.paints.map((paint) => word(mixed([this.ink.paper, paint], PALE)));
      const side = Math.max(1, Math.round(this.radius() * 1.8 * this.density));
      const [scale, left, top] = [this.scale * this.density, this.left * this.density, this.top * this.density];
      for (const i of seen) {
        const paint = this.bright(i) ? strong[this.codes[i]] : pale[this.codes[i]];
        const px = Math.round(x[i] * scale + left - side / 2);
        const py = Math.round(y[i] * scale + top - side / 2);
        const [from, to] = [Math.max(px, 0), Math.min(px + side, width)];
        for (let row = Math.max(py, 0); row < Math.min(py + side, height); row++) {
          for (let k = row * width + from; k < row * width + to; k++) this.pixels[k] = paint;
        }
      }
      context.putImageData(this.image, 0, 0);
    }

    /* A disc with a rim of paper, drawn once for each colour and size. */
    sprite(code, radius) {
      const size = Math.ceil(radius * 4) / 4;
      const key = `${code} ${size}`;
      let made = this.sprites.get(key);
      if (!made) {
        const half = Math.ceil(size + 1);
        const image = make("canvas");
        image.width = image.height = Math.ceil(2 * half * this.density);
        const context = image.getContext("2d");
        context.scale(image.width / (2 * half), image.height / (2 * half));
        context.beginPath();
        context.arc(half, half, size, 0, 2 * Math.PI);
        context.fillStyle = this.paints[code];
        context.fill();
        if (size > 2.5) {
          context.strokeStyle = this.ink.paper;
          context.lineWidth = 0.8;
          context.stroke();
        }
        if (this.sprites.size > 400) this.sprites.clear();
        this.sprites.set(key, (made = { image, half }));
      }
      return made;
    }

    at(i) {
      return [this.tracks.x[i] * this.scale + this.left, this.tracks.y[i] * this.scale + this.top];
    }

    drawPicked(context) {
      const ring = (i, width) => {
        context.beginPath();
        context.arc(...this.at(i), this.radius() + 3, 0, 2 * Math.PI);
        context.lineWidth = width;
        context.stroke();
      };
      context.strokeStyle = this.ink.text;
      if (this.selected >= 0) {
        context.globalAlpha = 0.55;
        context.lineWidth = 1;
        context.beginPath();
        for (const { index } of this.tracks.neighbours(this.selected)) {
          context.moveTo(...this.at(this.selected));
          context.lineTo(...this.at(index));
        }
        context.stroke();
        context.globalAlpha = 1;
        for (const { index } of this.tracks.neighbours(this.selected)) ring(index, 1.2);
        ring(this.selected, 2.6);
      }
      if (this.hovered >= 0) ring(this.hovered, 1.6);
    }

    drawLabels(context, seen) {
      this.boxes = [];
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.lineJoin = "round";
      const beside = (i, more) => ({ lines: [this.tracks.label(i)], x: this.tracks.x[i], y: this.tracks.y[i], beside: true, ...more });
      const wanted = [];
      if (this.selected >= 0) {
        wanted.push(beside(this.selected, { picked: true, strong: true }));
        for (const { index } of this.tracks.neighbours(this.selected)) wanted.push(beside(index, { picked: true }));
      }
      if (this.labels === "clusters") wanted.push(...this.clusterLabels);
      if (this.labels === "artists") wanted.push(...(this.artistLabels ??= this.tracks.artistLabels()));
      if (this.labels !== "none" && seen.length <= 60) {
        const picked = new Set(this.selected < 0 ? [] : [this.selected, ...this.tracks.neighbours(this.selected).map((one) => one.index)]);
        for (const i of seen) if (this.bright(i) && !picked.has(i)) wanted.push(beside(i));
      }
      const most = Math.max(12, Math.round((this.width * this.height) / 16000));
      let tried = 0;
      for (const label of wanted) {
        if (this.boxes.length >= most || tried > 4000) break;
        const [x, y] = [label.x * this.scale + this.left, label.y * this.scale + this.top];
        if (x < 0 || y < 0 || x > this.width || y > this.height) continue;
        tried++;
        this.write(context, label, x, y, seen);
      }
    }

    /* Write a label where no other one is: beside its track, or where it covers fewest; nowhere, where all is taken. */
    write(context, label, x, y, seen) {
      const height = label.strong ? 15 : 14;
      const font = `${label.strong ? 600 : 400} ${label.strong ? 12.5 : 11.5}px ${this.ink.font}`;
      context.font = font;
      if (label.font !== font) {
        label.font = font;
        label.shown = label.lines.map((line) => (line.length > 42 ? `${line.slice(0, 41)}…` : line));
        label.width = Math.max(...label.shown.map((line) => context.measureText(line).width));
      }
      const [half, tall] = [label.width / 2 + 3, (label.lines.length * height) / 2 + 1];
      const off = this.radius() + 5;
      const places = label.beside
        ? [[off + half, 0], [-off - half, 0], [0, off + tall], [0, -off - tall]]
        : [[0, 0], [0, -off - tall], [0, off + tall], [off + half, 0], [-off - half, 0]];
      const free = places
        .map(([dx, dy]) => ({ dx, dy, left: x + dx - half, right: x + dx + half, top: y + dy - tall, bottom: y + dy + tall }))
        .filter((box) => box.left >= 2 && box.top >= 2 && box.right <= this.width - 2 && box.bottom <= this.height - 2)
        .filter((box) => !this.boxes.some((other) => overlap(box, other)));
      if (!free.length) return;
      const covered = free.map((each) => this.covered(each, seen));
      const least = Math.min(...covered);
      if (least && label.beside && !label.picked) return; // no name is worth a track that it hides
      const box = free[covered.indexOf(least)];
      this.boxes.push(box);
      context.lineWidth = 3.5;
      context.strokeStyle = this.ink.paper;
      context.fillStyle = this.ink.text;
      label.shown.forEach((line, k) => {
        const middle = y + box.dy + (k - (label.lines.length - 1) / 2) * height;
        context.strokeText(line, x + box.dx, middle);
        context.fillText(line, x + box.dx, middle);
      });
    }

    /* How many tracks a box hides; of very many, always the same ones are counted, so that no name jumps about. */
    covered(box, seen) {
      const near = this.radius() - 1;
      const step = seen.length > 2000 ? Math.ceil(this.tracks.count / 1500) : 0;
      const size = step ? Math.ceil(this.tracks.count / step) : seen.length;
      let count = 0;
      for (let k = 0; k < size; k++) {
        const i = step ? k * step : seen[k];
        const x = this.tracks.x[i] * this.scale + this.left;
        const y = this.tracks.y[i] * this.scale + this.top;
        if (x > box.left - near && x < box.right + near && y > box.top - near && y < box.bottom + near) count++;
      }
      return count;
    }
  }

  return { show: (element, data) => (element.mirMap = new View(element, data)) };
})();
globalThis.MirMap = MirMap;
