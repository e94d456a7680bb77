// The page of maps: which map of which scan, less which other; value, extremes, profile.

import { drawing, element, isTyping, numberText, setText, unitText } from "./dom.mjs";
import { MapCanvas } from "./map_canvas.mjs";
import { drawProfile } from "./profile.mjs";

const FIRST = ["remaining_gap_um", "plating_surface_um"];
const SECTIONS = { yx: ["y", "x"], zy: ["z", "y"] }; // by the end of the name; others are in plane

export function mount() {
  return new MapsPage();
}

class MapsPage {
  constructor() {
    this.source = null;
    this.chosen = null; // scan; null: the newest
    this.name = new URLSearchParams(window.location.search).get("map");
    this.minus = null;
    this.wish = 0;
    this.hovering = false;
    this.shown = null;
    this.line = null;
    this.pending = null; // first end of a line that is being drawn
    this.view = new MapCanvas({
      hovered: (row, column) => this.hover(row, column),
      left: () => setText(this.readout, ""),
      picked: (row, column) => this.pick(row, column),
      stepped: (rows) => this.moveLine(rows),
    });
    const begin = Number.parseInt(new URLSearchParams(window.location.search).get("scan"), 10);
    if (Number.isInteger(begin)) this.chosen = begin;
    this.build();
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
  }

  close() {
    document.removeEventListener("keydown", this.onKey);
    this.view.close();
  }

  build() {
    const at = (id) => document.getElementById(id);
    this.select = element("select", { id: "map-name" });
    this.less = element("select", { id: "map-minus" });
    this.slider = element("input", { type: "range", id: "map-scan", min: 0, max: 1, "aria-label": "Scan" });
    this.scanText = element("span", { id: "map-scan-text", class: "number small" });
    this.csv = element("a", { id: "map-csv", class: "plain-link", download: true }, "CSV");
    this.readout = element("div", { id: "map-hover", class: "readout", role: "status" });
    this.bar = element("img", { class: "colour-bar", alt: "" });
    this.top = element("span", { id: "map-high", class: "number small" });
    this.middle = element("span", { class: "number small" });
    this.bottom = element("span", { id: "map-low", class: "number small" });
    this.note = element("div", { class: "viewer-note", role: "status", id: "map-note" });
    this.plot = drawing("svg", { class: "profile", role: "img", "aria-label": "Profile" });
    at("map-tools").append(labelled("Map", this.select), labelled("Less scan", this.less),
      element("span", { class: "tool-row grow" }, element("span", { class: "small" }, "scan"),
        this.slider, this.scanText), this.csv);
    at("map-place").append(this.view.canvas, this.note,
      element("div", { class: "colour-scale" }, this.top, this.bar, this.middle, this.bottom));
    at("map-readout").append(this.readout);
    at("map-profile").append(this.plot);
    this.select.addEventListener("change", () => this.choose({ name: this.select.value }));
    this.less.addEventListener("change", () =>
      this.choose({ minus: this.less.value === "" ? null : Number(this.less.value) }));
    this.slider.addEventListener("input", () => {
      const scan = this.scans[Number(this.slider.value)];
      if (scan) this.choose({ chosen: scan.scan });
    });
  }

  get scans() {
    return this.source ? this.source.scans.filter((each) => each.maps) : [];
  }

  get scan() {
    const scans = this.scans;
    return scans.find((each) => each.scan === this.chosen) || scans[scans.length - 1];
  }

  update(source) {
    if (this.source && this.source.experiment !== source.experiment) this.chosen = this.minus = null;
    this.source = source;
    this.load();
  }

  choose(change) {
    Object.assign(this, change);
    const scans = this.scans;
    if (scans.length && this.chosen === scans[scans.length - 1].scan) this.chosen = null;
    this.load();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const step = { "[": -1, "]": 1 }[event.key];
    if (!step) return;
    const scans = this.scans;
    const next = scans[scans.indexOf(this.scan) + step];
    if (next) this.choose({ chosen: next.scan });
  }

  async load() {
    const wish = ++this.wish;
    const scan = this.scan;
    this.fillScans();
    if (!scan) {
      setText(this.note, "No scan has maps yet.");
      this.view.clear();
      return;
    }
    try {
      const listed = await ask(this.address(scan.scan, "maps", ".json"));
      if (wish !== this.wish) return;
      this.fillNames(listed.maps);
      if (!this.name) throw new Error(`scan ${scan.scan} has no maps`);
      const about = await ask(this.address(scan.scan, "map", `/${this.name}.json`, {}));
      const isLimited = about.detected_share !== null;
      const [picture, veil] = await Promise.all([
        this.fetchPicture(scan.scan, about.generation, ".png"),
        isLimited ? this.fetchPicture(scan.scan, about.generation, "/undetected.png") : null,
      ]);
      if (wish === this.wish && this.isAsked(about, scan.scan)) this.show(picture, about, veil);
    } catch (error) {
      if (wish !== this.wish) return;
      this.view.clear();
      this.shown = null;
      setText(this.note, error.message);
    }
  }

  address(scan, kind, rest, query) {
    const name = encodeURIComponent(this.source.experiment);
    const asked = new URLSearchParams(query);
    if (query && this.minus !== null) asked.set("minus", this.minus);
    return `/api/v1/${kind}/${name}/${scan}${rest}${query ? `?${asked}` : ""}`;
  }

  async fetchPicture(scan, generation, end) {
    const reply = await fetch(this.address(scan, "map", `/${this.name}${end}`, { v: generation }));
    if (!reply.ok) throw new Error((await reply.json()).error);
    return createImageBitmap(await reply.blob());
  }

  isAsked(about, scan) {
    return about.experiment === this.source.experiment && about.scan === scan &&
      about.map === this.name && about.minus === this.minus;
  }

  fillScans() {
    const scans = this.scans;
    const scan = this.scan;
    this.slider.max = Math.max(1, scans.length - 1);
    this.slider.disabled = scans.length < 2;
    this.slider.value = Math.max(0, scans.indexOf(scan));
    setText(this.scanText, scan ? `${scan.scan} · ${scan.note}` : "");
    const wanted = ["", ...scans.map((each) => String(each.scan))];
    if (String(wanted) === this.lessWanted) return;
    this.lessWanted = String(wanted);
    this.less.replaceChildren(...wanted.map((each) =>
      element("option", { value: each }, each === "" ? "nothing" : `scan ${each}`)));
    this.less.value = this.minus === null ? "" : String(this.minus);
  }

  fillNames(names) {
    if (!names.includes(this.name)) {
      this.name = FIRST.find((each) => names.includes(each)) || names[0];
    }
    if (this.listed !== String(names)) {
      this.listed = String(names);
      const group = (label, of) => element("optgroup", { label }, ...names.filter(of).map((each) =>
        element("option", { value: each }, mapTitle(each))));
      this.select.replaceChildren(group("in plane (z, x)", (each) => !sectionOf(each)),
        group("cross-section (y, x)", (each) => sectionOf(each) === "yx"),
        group("side view (z, y)", (each) => sectionOf(each) === "zy"));
    }
    this.select.value = this.name;
  }

  show(picture, about, veil) {
    this.shown = about;
    setText(this.note, "");
    const mark = this.name.includes("gap") || about.minus === null ? about.least : null;
    this.view.mark = mark && [mark.row, mark.column];
    const row = mark ? mark.row : Math.floor(about.shape[0] / 2);
    const fits = this.line && this.line[2] < about.shape[0] && this.line[3] < about.shape[1];
    if (!fits || this.lineIsOwn !== true) this.line = [row, 0, row, about.shape[1] - 1];
    this.view.line = this.line;
    this.view.show(picture, about, veil);
    this.describe(about);
    this.readLine();
  }

  describe(about) {
    const unit = unitText(about.unit);
    const { canvas } = this.view;
    const title = mapTitle(about.map) + (about.minus === null ? "" : ` less scan ${about.minus}`);
    canvas.setAttribute("aria-label", `${title} of scan ${about.scan}, ${unit}`);
    Object.assign(canvas.dataset, { scan: about.scan, map: about.map, minus: about.minus ?? "" });
    this.bar.src = `/api/v1/colours/${about.colours}.png`;
    setText(this.top, `${numberText(about.high, 3)} ${unit}`);
    setText(this.middle, about.colours === "balance" ? "0 in the middle" : "");
    setText(this.bottom, `${numberText(about.low, 3)} ${unit}`);
    this.csv.href = this.address(about.scan, "map", `/${about.map}.csv`, {});
    const put = (id, text) => setText(document.getElementById(id), text);
    put("map-title", `${title} · scan ${about.scan}`);
    put("map-mean", about.mean === null ? "–" : `${numberText(about.mean)} ${unit}`);
    put("map-least", placeText(about.least, about, unit));
    put("map-greatest", placeText(about.greatest, about, unit));
    put("map-measured", `${(100 * about.measured_share).toFixed(1)} % of the pixels`);
    put("map-detected", about.detected_share === null ? "no limit is known"
      : `${(100 * about.detected_share).toFixed(1)} % of what was measured`);
  }

  async hover(row, column) {
    const [y, x] = [Math.floor(row), Math.floor(column)];
    const about = this.shown;
    if (!about || y < 0 || x < 0 || y >= about.shape[0] || x >= about.shape[1]) return;
    this.hovered = [y, x];
    if (this.hovering) return; // the newest place is asked for when this is answered
    this.hovering = true;
    try {
      const found = await ask(this.address(about.scan, "map", `/${about.map}/value.json`,
        { row: y, column: x }));
      if (this.shown === about && found.generation === about.generation) this.tell(found);
    } catch {
      // the scan was changed meanwhile
    } finally {
      this.hovering = false;
    }
    if (String(this.hovered) !== String([y, x])) this.hover(...this.hovered);
  }

  tell(found) {
    const um = (each) => (each * this.shown.pixel_um).toFixed(1);
    const below = found.limit !== null && Math.abs(found.value) < found.limit;
    const value = found.value === null ? "not measured"
      : `${numberText(found.value)} ${unitText(found.unit)}` +
        (below ? `, below the limit of ${numberText(found.limit, 3)}` : "");
    const [down, across] = axesOf(found.map);
    setText(this.readout, `${down} ${found.row}, ${across} ${found.column} ` +
      `(${um(found.row)}, ${um(found.column)} µm): ${value}`);
    this.readout.dataset.value = found.value === null ? "" : found.value;
  }

  pick(row, column) {
    if (!this.shown) return;
    const [rows, columns] = this.shown.shape;
    const place = [Math.min(rows - 1, Math.max(0, Math.floor(row))),
      Math.min(columns - 1, Math.max(0, Math.floor(column)))];
    if (this.pending) {
      this.setLine([...this.pending, ...place]);
      this.pending = null;
    } else {
      this.pending = place;
      setText(this.readout, "A is set; click the other end of the profile.");
    }
  }

  moveLine(rows) {
    if (!this.shown || !this.line) return;
    const last = this.shown.shape[0] - 1;
    const [top, left, bottom, right] = this.line;
    const inside = (row) => Math.min(last, Math.max(0, row - rows));
    this.setLine([inside(top), left, inside(bottom), right]);
  }

  setLine(line) {
    this.line = this.view.line = line;
    this.lineIsOwn = true;
    this.view.draw();
    this.readLine();
  }

  async readLine() {
    const about = this.shown;
    const [top, left, bottom, right] = this.line;
    const found = await ask(this.address(about.scan, "map", `/${about.map}/profile.json`,
      { top, left, bottom, right })).catch(() => null);
    if (!found || this.shown !== about || String(this.line) !== String([top, left, bottom, right])) return;
    drawProfile(this.plot, found, unitText(found.unit));
    setText(document.getElementById("profile-text"),
      `from A (${axesOf(about.map)[0]} ${top}, ${axesOf(about.map)[1]} ${left}) ` +
      `to B (${axesOf(about.map)[0]} ${bottom}, ${axesOf(about.map)[1]} ${right})`);
  }
}

async function ask(address) {
  const reply = await fetch(address);
  const found = await reply.json();
  if (!reply.ok) throw new Error(found.error || reply.statusText);
  return found;
}

function labelled(name, field) {
  return element("label", { class: "field" }, element("span", { class: "small" }, name), field);
}

function placeText(place, about, unit) {
  if (!place) return "–";
  const um = (each) => (each * about.pixel_um).toFixed(1);
  const [down, across] = axesOf(about.map);
  return `${numberText(place.value)} ${unit} at ${down} ${place.row}, ${across} ${place.column} ` +
    `(${um(place.row)}, ${um(place.column)} µm)`;
}

function sectionOf(name) {
  const end = name.slice(-2);
  return name.at(-3) === "_" && end in SECTIONS ? end : "";
}

function axesOf(name) {
  return SECTIONS[sectionOf(name)] || ["z", "x"];
}

function mapTitle(name) {
  return name.replace(/_(yx|zy)$/, "").replace(/_(um|mA_cm2)$/, "").replaceAll("_", " ");
}
