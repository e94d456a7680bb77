// Scans along the time of the experiment: thumbnails under the current and the potential.

import { drawing, element, setText } from "./dom.mjs";

const THUMB = 56;
const PLOT = 64; // height of the curves, CSS pixels
const EDGE = 44; // room for the scales at both ends
const SIGNS = { ok: "", running: "▸", incomplete: "!", failed: "✗", waiting: "·" };

export class Timeline {
  // choose(scan) is called when a person picks one
  constructor(place, choose) {
    this.choose = choose;
    this.source = null;
    this.chosen = null;
    this.samples = null;
    this.sampled = "";
    this.thumbs = new Map();
    this.span = document.getElementById("timeline-span");
    this.plot = drawing("svg", { class: "timeline-plot", role: "img", height: PLOT,
      "aria-label": "Current and potential over the time of the experiment" });
    this.strip = element("div", { class: "timeline-strip", role: "group", "aria-label": "Scans" });
    this.slider = element("input", { type: "range", id: "scan-slider", min: 0, max: 1, step: 1,
      "aria-label": "Scan" });
    this.slider.addEventListener("input", () => {
      const scan = this.source && this.source.scans[Number(this.slider.value)];
      if (scan) this.choose(scan.scan);
    });
    place.append(this.plot, this.strip, this.slider);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(place);
    this.place = place;
  }

  close() {
    this.observer.disconnect();
  }

  update(source, chosen) {
    this.source = source;
    this.chosen = chosen;
    this.fetchSamples();
    this.draw();
  }

  async fetchSamples() {
    const { experiment, samples } = this.source;
    const wanted = `${experiment} ${samples}`;
    if (!experiment || this.sampled === wanted || this.sampling) return;
    this.sampling = true;
    try {
      const reply = await fetch(`/api/v1/electrochemistry/${encodeURIComponent(experiment)}.json`);
      const found = reply.ok ? await reply.json() : null;
      if (found && found.experiment === this.source.experiment) this.samples = found;
      this.sampled = wanted;
    } catch {
      // asked again with the next news
    } finally {
      this.sampling = false;
    }
    this.draw();
  }

  draw() {
    if (!this.source) return;
    const scans = this.source.scans;
    this.slider.max = Math.max(1, scans.length - 1);
    this.slider.value = Math.max(0, scans.findIndex((each) => each.scan === this.chosen));
    this.slider.disabled = scans.length < 2;
    const width = this.place.clientWidth;
    const samples = this.samples && this.samples.experiment === this.source.experiment
      ? this.samples : null;
    const lasts = [scans.length ? scans[scans.length - 1].time_s : 0];
    if (samples && samples.time_s.length) lasts.push(samples.time_s[samples.time_s.length - 1]);
    const end = Math.max(...lasts.map((each) => each || 0), 1);
    const toX = (time_s) => EDGE + (time_s / end) * Math.max(1, width - 2 * EDGE);
    this.drawPlot(samples, toX, width, end);
    this.drawThumbs(scans, toX, width);
  }

  drawPlot(samples, toX, width, end) {
    // Thousands of points: not again for each news of a scan.
    const drawn = [samples, width, end];
    if (this.drawn && drawn.every((each, i) => each === this.drawn[i])) return;
    this.drawn = drawn;
    this.plot.setAttribute("viewBox", `0 0 ${Math.max(1, width)} ${PLOT}`);
    const parts = [drawing("line", { x1: EDGE, x2: width - EDGE, y1: PLOT - 1, y2: PLOT - 1,
      class: "axis" })];
    if (samples && samples.time_s.length > 1) {
      parts.push(...curve(samples.time_s, samples.current_mA, toX, "current", "mA", 4, "start"));
      parts.push(...curve(samples.time_s, samples.potential_V, toX, "potential", "V", width - 4,
        "end"));
    } else {
      parts.push(text(width / 2, PLOT / 2, "no current or potential yet", "middle", "muted"));
    }
    const hours = `0 to ${(end / 3600).toFixed(1)} h`;
    this.plot.setAttribute("aria-label", `Current and potential, ${hours}`);
    setText(this.span, hours);
    this.plot.replaceChildren(...parts);
  }

  drawThumbs(scans, toX, width) {
    const places = scans.map((each, i) =>
      each.time_s === null ? toX(0) + (i * THUMB) / 4 : toX(each.time_s));
    const span = scans.length > 1 ? (places[places.length - 1] - places[0]) / (scans.length - 1) : THUMB;
    const every = Math.max(1, Math.ceil(22 / Math.max(span, 1)));
    const side = Math.max(20, Math.min(THUMB, span * every - 2));
    const used = new Set();
    scans.forEach((scan, i) => {
      const isShown = (scans.length - 1 - i) % every === 0 || scan.scan === this.chosen ||
        scan.state === "failed" || scan.state === "incomplete";
      if (!isShown) return;
      used.add(scan.scan);
      const x = Math.min(width - side, Math.max(0, places[i] - side / 2));
      this.drawThumb(scan, x, side);
    });
    for (const [scan, thumb] of this.thumbs) {
      if (used.has(scan)) continue;
      thumb.remove();
      this.thumbs.delete(scan);
    }
  }

  drawThumb(scan, x, side) {
    let thumb = this.thumbs.get(scan.scan);
    if (!thumb) {
      thumb = element("button", { type: "button", class: "thumb", "data-scan": scan.scan },
        element("img", { alt: "" }), element("span", { class: "thumb-text" }));
      thumb.addEventListener("click", () => this.choose(scan.scan));
      this.thumbs.set(scan.scan, thumb);
      this.strip.append(thumb);
    }
    thumb.style.left = `${x}px`;
    thumb.style.width = thumb.style.height = `${side}px`;
    thumb.dataset.state = scan.state;
    thumb.title = `Scan ${scan.scan}: ${scan.note}`;
    thumb.setAttribute("aria-label", thumb.title);
    thumb.setAttribute("aria-pressed", String(scan.scan === this.chosen));
    setText(thumb.lastChild, `${SIGNS[scan.state] || ""}${scan.scan}`);
    const name = encodeURIComponent(this.source.experiment);
    const address = scan.token ? `/api/v1/thumbnail/${name}/${scan.scan}.webp?v=${scan.token}` : "";
    const image = thumb.firstChild;
    if (image.dataset.address === address) return;
    image.dataset.address = address;
    image.hidden = !address;
    if (address) image.src = address;
  }
}

function curve(times, values, toX, kind, unit, labelX, anchor) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const span = high - low || 1;
  const points = values.map((value, i) =>
    `${toX(times[i]).toFixed(1)},${(PLOT - 6 - ((value - low) / span) * (PLOT - 14)).toFixed(1)}`);
  return [
    drawing("polyline", { points: points.join(" "), class: kind }),
    text(labelX, 12, `${high.toPrecision(2)} ${unit}`, anchor, kind),
    text(labelX, PLOT - 4, `${low.toPrecision(2)} ${unit}`, anchor, kind),
  ];
}

function text(x, y, content, anchor, kind) {
  return drawing("text", { x, y, "text-anchor": anchor, class: kind }, content);
}
