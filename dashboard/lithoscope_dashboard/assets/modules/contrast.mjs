// Which values are drawn black and which white: of each volume its own, until a person sets them.

import { element, numberText, setText, unitText } from "./dom.mjs";

const STEPS = 200;

export class Contrast {
  // changed() is called when another window holds
  constructor(changed) {
    this.changed = changed;
    this.window = null; // [black, white], the same object while it holds; null: that of the volume
    this.about = null; // { window, unit } of the volume that is shown
    this.token = "";
    const slider = (id, name) => element("input", { type: "range", id, min: 0, max: STEPS, step: 1,
      disabled: true, "aria-label": `Value drawn ${name}` });
    this.black = slider("window-black", "black");
    this.white = slider("window-white", "white");
    this.text = element("span", { id: "window-text", class: "number small" });
    this.own = element("button", { type: "button", id: "window-own", class: "plain",
      title: "The window of each volume", "aria-pressed": "true" }, "Auto");
    this.node = element("span", { class: "tool-row contrast" },
      element("span", { class: "small" }, "grey"), this.black, this.white, this.text, this.own);
    for (const field of [this.black, this.white]) {
      field.addEventListener("input", () => this.set(field));
    }
    this.own.addEventListener("click", () => {
      this.window = null;
      this.fill();
      this.changed();
    });
  }

  // scan: { experiment, scan, token }
  async show(scan) {
    if (scan.token === this.token) return;
    this.token = scan.token;
    const name = encodeURIComponent(scan.experiment);
    const reply = await fetch(`/api/v1/volume/${name}/${scan.scan}.json`).catch(() => null);
    const about = reply && reply.ok ? await reply.json() : null;
    if (!about || about.generation !== this.token) return; // another scan is shown by now
    // A window that a person has set stays for all scans: so they can be compared.
    if (!this.about || this.about.unit !== about.unit) this.window = null;
    this.about = about;
    this.fill();
  }

  // The sliders go half a window beyond that of the volume, on both sides.
  get span() {
    const [low, high] = this.about.window;
    return [low - (high - low) / 2, high + (high - low) / 2];
  }

  set(field) {
    const step = field === this.black ? 1 : -1;
    const other = field === this.black ? this.white : this.black;
    // Black stays below white.
    if ((Number(other.value) - Number(field.value)) * step < 1) {
      field.value = Number(other.value) - step;
    }
    const [low, high] = this.span;
    this.window = [this.black, this.white].map(
      (each) => low + ((high - low) * Number(each.value)) / STEPS);
    this.fill();
    this.changed();
  }

  fill() {
    if (!this.about) return;
    const shown = this.window || this.about.window;
    const [low, high] = this.span;
    [this.black, this.white].forEach((field, end) => {
      field.disabled = false;
      field.value = Math.round(((shown[end] - low) / (high - low)) * STEPS);
    });
    setText(this.text, `${numberText(shown[0], 3)} to ${numberText(shown[1], 3)} ` +
      unitText(this.about.unit));
    this.own.setAttribute("aria-pressed", String(this.window === null));
  }
}
