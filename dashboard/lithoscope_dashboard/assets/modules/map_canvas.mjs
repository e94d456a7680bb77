// One map on a canvas: colours, hatching where nothing was measured, a line, a marked place.

import { element, roundLength } from "./dom.mjs";
import { listenToPointer } from "./pointer.mjs";
import { Sight } from "./sight.mjs";

export class MapCanvas {
  // on: { hovered(row, column), left(), picked(row, column), stepped(rows) }
  constructor(on) {
    this.sight = new Sight();
    this.shown = null; // { picture, numbers, veil }
    this.line = null; // [top, left, bottom, right]
    this.mark = null; // [row, column]
    this.layer = new OffscreenCanvas(1, 1);
    this.canvas = element("canvas", { id: "map-canvas", tabindex: 0, role: "img",
      class: "map-canvas", "aria-label": "Map" });
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.canvas);
    listenToPointer(this.canvas, this.sight, { ...on, changed: () => this.draw() });
  }

  close() {
    this.observer.disconnect();
  }

  resize() {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    this.canvas.width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    this.sight.setCanvas(this.canvas.clientWidth, this.canvas.clientHeight);
    this.draw();
  }

  // veil: white where the map is below its detection limit, or null
  show(picture, numbers, veil) {
    this.shown = { picture, numbers, veil };
    this.sight.setPicture(...numbers.shape);
    this.draw();
  }

  clear() {
    this.shown = this.line = this.mark = null;
    this.draw();
  }

  draw() {
    const context = this.canvas.getContext("2d");
    const ratio = this.canvas.width / Math.max(1, this.sight.width);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.sight.width, this.sight.height);
    if (!this.shown) return;
    const [x0, y0] = this.sight.toCanvas(0, 0);
    const [x1, y1] = this.sight.toCanvas(this.sight.rows, this.sight.columns);
    context.fillStyle = hatching(context, "#30363d", "#8a949e", 1);
    context.fillRect(x0, y0, x1 - x0, y1 - y0);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.shown.picture, x0, y0, x1 - x0, y1 - y0);
    if (this.shown.veil) this.drawVeil(context, [x0, y0, x1 - x0, y1 - y0]);
    if (this.line) this.drawLine(context);
    if (this.mark) this.drawMark(context);
    this.drawScale(context);
  }

  // Lines that fall, on grey that lets the colour through: less than can be told from nothing.
  drawVeil(context, place) {
    Object.assign(this.layer, { width: this.canvas.width, height: this.canvas.height });
    const pen = this.layer.getContext("2d");
    pen.setTransform(context.getTransform());
    pen.imageSmoothingEnabled = false;
    pen.drawImage(this.shown.veil, ...place);
    pen.globalCompositeOperation = "source-in";
    pen.fillStyle = hatching(pen, "rgba(128, 128, 128, 0.6)", "rgba(40, 40, 40, 0.85)", -1);
    pen.fillRect(...place);
    context.drawImage(this.layer, 0, 0, this.sight.width, this.sight.height);
  }

  drawLine(context) {
    const [top, left, bottom, right] = this.line;
    const from = this.sight.toCanvas(top + 0.5, left + 0.5);
    const to = this.sight.toCanvas(bottom + 0.5, right + 0.5);
    for (const [width, style] of [[4, "#000000"], [2, "#ffffff"]]) {
      context.lineWidth = width;
      context.strokeStyle = style;
      context.beginPath();
      context.moveTo(...from);
      context.lineTo(...to);
      context.stroke();
    }
    context.fillStyle = "#ffffff";
    context.font = "700 12px system-ui, sans-serif";
    context.fillText("A", from[0] + 4, from[1] - 5);
    context.fillText("B", to[0] - 14, to[1] - 5);
  }

  drawMark(context) {
    const [x, y] = this.sight.toCanvas(this.mark[0] + 0.5, this.mark[1] + 0.5);
    for (const [width, style] of [[4, "#000000"], [2, "#ffffff"]]) {
      context.lineWidth = width;
      context.strokeStyle = style;
      context.beginPath();
      context.arc(x, y, 7, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  drawScale(context) {
    const pixel_um = this.shown.numbers.pixel_um;
    const um = roundLength((this.sight.width * 0.25 * pixel_um) / this.sight.scale);
    const length = (um / pixel_um) * this.sight.scale;
    const [x, y] = [10, this.sight.height - 10];
    context.fillStyle = "rgba(0, 0, 0, 0.65)";
    context.fillRect(x - 4, y - 21, Math.max(length, 50) + 8, 27);
    context.fillStyle = "#ffffff";
    context.fillRect(x, y - 3, length, 3);
    context.font = "600 11px system-ui, sans-serif";
    context.fillText(`${um} µm`, x, y - 8);
  }
}

// Lines that rise (1) or fall (-1) to the right.
function hatching(context, ground, lines, slope) {
  const tile = new OffscreenCanvas(10, 10);
  const pen = tile.getContext("2d");
  pen.fillStyle = ground;
  pen.fillRect(0, 0, 10, 10);
  pen.strokeStyle = lines;
  pen.lineWidth = 1.5;
  pen.beginPath();
  for (const shift of [-10, 0, 10]) {
    pen.moveTo(shift, slope > 0 ? 10 : 0);
    pen.lineTo(shift + 10, slope > 0 ? 0 : 10);
  }
  pen.stroke();
  return context.createPattern(tile, "repeat");
}
