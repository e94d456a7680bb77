// Three planes through one point, with class toggles, opacity, grey window and a readout.

import { element, isTyping, setText } from "./dom.mjs";
import { Contrast } from "./contrast.mjs";
import { Plane } from "./plane.mjs";

const AXES = ["z", "y", "x"];
const NAMES = { z: "Cross-section", y: "In plane", x: "Side view" };

export class Ortho {
  constructor(place, classes) {
    this.classes = classes;
    this.hidden = new Set();
    this.opacity = 0.6;
    this.scan = null;
    this.at = null; // voxel (z, y, x) that the planes go through
    this.contrast = new Contrast(() => this.scan && this.refresh());
    this.planes = AXES.map(
      (axis, normal) =>
        new Plane(axis, NAMES[axis], {
          pick: (row, column) => this.pick(normal, row, column),
          step: (planes) => this.goTo(normal, this.at && this.at[normal] + planes),
          shown: () => {
            setText(this.note, "");
            if (normal === 0) this.read();
          },
          failed: (why) => setText(this.note, why),
        }),
    );
    this.build(place);
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
  }

  close() {
    document.removeEventListener("keydown", this.onKey);
    this.planes.forEach((plane) => plane.close());
  }

  build(place) {
    this.sliders = AXES.map((axis) =>
      element("input", {
        type: "range", min: 0, max: 1, value: 0, id: `position-${axis}`,
        "aria-label": `${NAMES[axis]}: place along ${axis}`,
      }),
    );
    this.captions = AXES.map((axis) => element("span", { class: "number", id: `place-${axis}` }));
    this.readout = element("div", { id: "readout", class: "small readout", "aria-live": "off" });
    this.note = element("div", { id: "viewer-note", class: "viewer-note", role: "status" });
    const figures = AXES.map((axis, i) => {
      this.sliders[i].addEventListener("input", () => this.goTo(i, Number(this.sliders[i].value)));
      const caption = element("figcaption", {}, element("b", {}, NAMES[axis]), this.captions[i]);
      return element("figure", { class: `plane plane-${axis}` }, caption,
        this.planes[i].canvas, this.sliders[i]);
    });
    place.append(element("div", { class: "planes" }, ...figures, this.note),
      element("div", { class: "viewer-tools" }, this.legend(), this.tools()), this.readout);
  }

  legend() {
    this.toggles = this.classes.map((each) => {
      const swatch = element("i", { class: "swatch", "aria-hidden": "true" }, each.letter);
      swatch.style.background = `rgb(${each.rgb.join(",")})`;
      swatch.style.color = each.ink;
      const toggle = element("button", {
        type: "button", class: "toggle", "aria-pressed": "true", "data-class": each.key,
        title: `Show or hide (key ${each.letter})`,
      }, swatch, each.name);
      toggle.addEventListener("click", () => this.toggle(each.key));
      return toggle;
    });
    return element("div", { class: "toggles", role: "group", "aria-label": "Classes" },
      ...this.toggles);
  }

  tools() {
    const opacity = element("input", {
      type: "range", min: 0, max: 100, value: 60, id: "opacity", "aria-label": "Opacity of labels",
    });
    const text = element("span", { class: "number small", id: "opacity-text" }, "60 %");
    opacity.addEventListener("input", () => {
      this.opacity = Number(opacity.value) / 100;
      setText(text, `${opacity.value} %`);
      this.restyle();
    });
    const whole = element("button", { type: "button", class: "plain", title: "Whole planes (key 0)" },
      "Fit");
    whole.addEventListener("click", () => this.planes.forEach((plane) => {
      plane.sight.reset();
      plane.moved();
    }));
    return element("div", { class: "tool-row" }, this.contrast.node,
      element("label", { for: "opacity", class: "small" }, "labels"), opacity, text, whole);
  }

  toggle(key) {
    if (!this.hidden.delete(key)) this.hidden.add(key);
    for (const toggle of this.toggles) {
      toggle.setAttribute("aria-pressed", String(!this.hidden.has(toggle.dataset.class)));
    }
    this.restyle();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const found = this.classes.find((each) => each.letter.toLowerCase() === event.key.toLowerCase());
    if (found) this.toggle(found.key);
  }

  // scan: { experiment, scan, token, shape, voxel_um, labels } or null for one without a volume
  show(scan, why) {
    const isOther = !this.scan || !scan || String(this.scan.shape) !== String(scan.shape);
    this.scan = scan;
    setText(this.note, scan ? "" : why);
    if (!scan) {
      this.planes.forEach((plane) => plane.clear());
      setText(this.readout, "");
      return;
    }
    this.contrast.show(scan);
    if (isOther || !this.at) this.at = scan.shape.map((length) => Math.floor(length / 2));
    this.restyle();
    this.refresh();
  }

  goTo(normal, index) {
    if (!this.scan || index === null || Number.isNaN(index)) return;
    const last = this.scan.shape[normal] - 1;
    this.at = this.at.map((old, axis) => (axis === normal ? Math.min(last, Math.max(0, index)) : old));
    this.refresh();
  }

  pick(normal, row, column) {
    if (!this.scan) return;
    const picked = [row, column];
    this.at = this.at.map((old, axis) => {
      if (axis === normal) return old;
      return Math.min(this.scan.shape[axis] - 1, Math.max(0, picked.shift()));
    });
    this.refresh();
  }

  refresh() {
    const { shape, voxel_um } = this.scan;
    this.planes.forEach((plane, normal) => {
      const [rows, columns] = shape.filter((_, axis) => axis !== normal);
      const cross = this.at.filter((_, axis) => axis !== normal);
      plane.look = { ...plane.look, cross, voxel_um };
      const index = this.at[normal];
      const wish = { ...this.scan, axis: plane.axis, index, window: this.contrast.window };
      const same = plane.wish && ["index", "token", "window"].every(
        (part) => plane.wish[part] === wish[part]);
      if (!same) plane.show(wish, rows, columns);
      else plane.draw();
      this.sliders[normal].max = shape[normal] - 1;
      this.sliders[normal].value = index;
      const place = `${plane.axis} ${index} of ${shape[normal]} · ${(index * voxel_um).toFixed(1)} µm`;
      setText(this.captions[normal], place);
      plane.canvas.setAttribute("aria-label",
        `${NAMES[plane.axis]} of scan ${this.scan.scan}, ${place}`);
    });
    this.read();
  }

  restyle() {
    for (const plane of this.planes) {
      plane.look = { ...plane.look, classes: this.classes, hidden: this.hidden, opacity: this.opacity };
      plane.recolour();
    }
  }

  read() {
    if (!this.scan) return;
    const [z, y, x] = this.at;
    const value = this.planes[0].classAt(y, x);
    const found = this.classes.find((each) => each.value === value);
    const um = this.at.map((each) => (each * this.scan.voxel_um).toFixed(1));
    const what = found ? `${found.name} (${found.letter})` : "no class";
    const labels = this.scan.labels ? what : "no labels yet";
    setText(this.readout, `scan ${this.scan.scan} at z ${z}, y ${y}, x ${x} ` +
      `(${um.join(", ")} µm): ${labels} · voxel ${this.scan.voxel_um.toPrecision(3)} µm`);
  }
}
