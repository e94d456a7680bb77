// The 3-D page: which scan, which classes, clip plane, the scan before as a ghost.

import { element, isTyping, numberText, setText } from "./dom.mjs";

const AXES = ["x", "y", "z"];

export function mount() {
  return new SurfacePage();
}

class SurfacePage {
  constructor() {
    this.source = null;
    this.chosen = null;
    this.wish = 0;
    this.hidden = new Set();
    this.ghost = false;
    this.kept = new Map(); // scan: { about, surfaces }
    this.scene = null;
    this.build();
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
    this.ready = this.begin();
  }

  close() {
    document.removeEventListener("keydown", this.onKey);
    this.isClosed = true;
    if (this.scene) this.scene.close();
  }

  build() {
    const at = (id) => document.getElementById(id);
    this.canvas = element("canvas", { id: "surface-canvas", class: "surface-canvas", tabindex: 0,
      role: "img", "aria-label": "Surfaces of the classes; drag or arrow keys turn them" });
    this.note = element("div", { id: "surface-note", class: "viewer-note", role: "status" });
    at("surface-place").append(this.canvas, this.note);
    this.slider = element("input", { type: "range", id: "surface-scan", min: 0, max: 1, "aria-label": "Scan" });
    this.scanText = element("span", { id: "surface-scan-text", class: "number small" });
    this.axis = element("select", { id: "clip-axis" }, element("option", { value: "" }, "no clip plane"),
      ...AXES.map((axis, i) => element("option", { value: i }, `across ${axis}`)));
    this.place = element("input", { type: "range", id: "clip-place", min: 0, max: 100, value: 100,
      "aria-label": "Place of the clip plane", disabled: true });
    this.ghostBox = element("input", { type: "checkbox", id: "ghost" });
    const reset = element("button", { type: "button", class: "plain", id: "reset-view" }, "Reset view");
    this.toggles = element("div", { id: "surface-classes", class: "toggles", role: "group", "aria-label": "Classes" });
    at("surface-tools").append(
      element("span", { class: "tool-row grow" }, element("span", { class: "small" }, "scan"), this.slider, this.scanText),
      element("label", { class: "field" }, element("span", { class: "small" }, "Clip"), this.axis), this.place,
      element("label", { class: "field small" }, this.ghostBox, "ghost of the scan before"), reset);
    at("surface-tools").after(this.toggles);
    this.slider.addEventListener("input", () => this.choose(this.scans[Number(this.slider.value)]));
    for (const field of [this.axis, this.place]) field.addEventListener("input", () => this.clip());
    this.ghostBox.addEventListener("change", () => {
      this.ghost = this.ghostBox.checked;
      this.load();
    });
    reset.addEventListener("click", () => this.look());
  }

  async begin() {
    try {
      this.module = await import("./scene.mjs");
      this.scene = new this.module.SurfaceScene(this.canvas, {
        lost: () => setText(this.note, "The graphics card took the picture away; it is drawn again as soon as it can be. The table stays."),
        restored: () => setText(this.note, ""),
      });
      if (this.isClosed) this.scene.close();
    } catch (error) {
      this.scene = null;
      this.canvas.hidden = true;
      setText(this.note, "This browser has no WebGL: the table below says what the surfaces hold. " +
        "Allow hardware acceleration, or look at the slices.");
      document.getElementById("surface-place").dataset.webgl = "missing";
    }
  }

  get scans() {
    return this.source ? this.source.scans.filter((each) => each.surfaces) : [];
  }

  get scan() {
    const scans = this.scans;
    return scans.find((each) => each.scan === this.chosen) || scans[scans.length - 1];
  }

  async update(source) {
    if (this.source && this.source.experiment !== source.experiment) {
      this.chosen = null;
      this.kept.clear();
      this.looked = false;
    }
    this.source = source;
    await this.ready;
    this.load();
  }

  choose(scan) {
    if (!scan) return;
    const scans = this.scans;
    this.chosen = scan === scans[scans.length - 1] ? null : scan.scan;
    this.load();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const step = { "[": -1, "]": 1 }[event.key];
    if (step) this.choose(this.scans[this.scans.indexOf(this.scan) + step]);
    const letter = event.key.toLowerCase();
    const toggle = [...this.toggles.children].find((each) => each.dataset.letter === letter);
    if (toggle) toggle.click();
  }

  async load() {
    if (this.isClosed || !this.source) return;
    const scans = this.scans;
    const scan = this.scan;
    this.slider.max = Math.max(1, scans.length - 1);
    this.slider.disabled = scans.length < 2;
    this.slider.value = Math.max(0, scans.indexOf(scan));
    setText(this.scanText, scan ? `${scan.scan} · ${scan.note}` : "");
    if (!scan) {
      setText(this.note, "No scan has surfaces yet: they are made after its metrics.");
      return;
    }
    const before = this.ghost ? scans[scans.indexOf(scan) - 1] : null;
    const wanted = [scan.scan, before ? before.scan : null, scan.surfaces].join(" ");
    if (wanted === this.loaded) return;
    const wish = ++this.wish;
    try {
      const now = await this.fetchScan(scan);
      const then = before ? await this.fetchScan(before) : null;
      if (wish !== this.wish || this.isClosed) return;
      this.loaded = wanted;
      this.show(now, then);
    } catch (error) {
      if (wish === this.wish) setText(this.note, error.message);
    }
  }

  async fetchScan(scan) {
    const name = encodeURIComponent(this.source.experiment);
    const kept = this.kept.get(scan.scan);
    if (kept && kept.stamp === scan.surfaces) return kept;
    const reply = await fetch(`/api/v1/surfaces/${name}/${scan.scan}.json`);
    const about = await reply.json();
    if (!reply.ok) throw new Error(about.error);
    const surfaces = this.scene ? await Promise.all(about.surfaces.map(async (each) => {
      const file = await fetch(`/api/v1/surface/${name}/${scan.scan}/${each.class}.glb?v=${each.sha256.slice(0, 16)}`);
      if (!file.ok) throw new Error((await file.json()).error);
      return { key: each.class, colour: each.colour, ...(await this.module.read(await file.arrayBuffer())) };
    })) : [];
    const made = { stamp: scan.surfaces, about, surfaces };
    this.kept.set(scan.scan, made);
    // This scan and the one before it; an older one is read again.
    for (const old of [...this.kept.keys()].slice(0, -2)) this.kept.delete(old);
    return made;
  }

  show(now, then) {
    this.about = now.about;
    setText(this.note, this.scene ? "" : this.note.textContent);
    this.fillToggles(now.about.surfaces);
    this.fillTable(now.about);
    if (!this.scene) return;
    const shown = now.surfaces.map((each) => ({ ...each, isGhost: false }));
    if (then) shown.push(...then.surfaces.map((each) => ({ ...each, isGhost: true })));
    this.scene.show(shown);
    this.scene.style(this.hidden, Boolean(then));
    if (!this.looked) this.look();
    this.looked = true;
    this.clip();
    Object.assign(this.canvas.dataset, { scan: now.about.scan, ghost: then ? then.about.scan : "" });
  }

  get bounds() {
    const boxes = this.about.surfaces.map((each) => each.bounds_um);
    if (!boxes.length) return [[0, 0, 0], [1, 1, 1]];
    const pick = (end, of) => AXES.map((_, axis) => of(...boxes.map((box) => box[end][axis])));
    return [pick(0, Math.min), pick(1, Math.max)];
  }

  look() {
    if (this.scene && this.about) this.scene.look(this.bounds);
  }

  clip() {
    if (!this.scene || !this.about) return;
    const axis = this.axis.value === "" ? null : Number(this.axis.value);
    this.place.disabled = axis === null;
    if (axis === null) {
      this.scene.clip(null);
      this.canvas.dataset.clip = "";
      return;
    }
    const [low, high] = this.bounds;
    const um = low[axis] + ((high[axis] - low[axis]) * Number(this.place.value)) / 100;
    this.scene.clip(axis, um);
    this.canvas.dataset.clip = `${AXES[axis]} ${um.toFixed(1)}`;
  }

  fillToggles(surfaces) {
    const wanted = surfaces.map((each) => each.class).join(" ");
    if (this.listed === wanted) return;
    this.listed = wanted;
    this.toggles.replaceChildren(...surfaces.map((each) => {
      const swatch = element("i", { class: "swatch", "aria-hidden": "true" }, each.letter);
      swatch.style.background = each.colour;
      swatch.style.color = each.class === "stripping_electrode" ? "#ffffff" : "#000000";
      const toggle = element("button", { type: "button", class: "toggle", "data-class": each.class,
        "data-letter": each.letter.toLowerCase(), "aria-pressed": String(!this.hidden.has(each.class)),
        title: `Show or hide (key ${each.letter})` }, swatch, each.name);
      toggle.addEventListener("click", () => {
        if (!this.hidden.delete(each.class)) this.hidden.add(each.class);
        toggle.setAttribute("aria-pressed", String(!this.hidden.has(each.class)));
        if (this.scene) this.scene.style(this.hidden, this.ghost);
      });
      return toggle;
    }));
  }

  fillTable(about) {
    const rows = about.surfaces.map((each) => {
      const span = each.bounds_um[1].map((high, axis) => (high - each.bounds_um[0][axis]).toFixed(0));
      return element("tr", { "data-class": each.class }, element("th", { scope: "row" }, `${each.name} (${each.letter})`),
        element("td", {}, numberText(each.volume_um3)), element("td", {}, String(each.triangles)),
        element("td", {}, span.join(" × ")));
    });
    document.getElementById("surface-rows").replaceChildren(...rows);
    setText(document.getElementById("surface-caption"), `Surfaces of scan ${about.scan}`);
  }
}
