// One plane of the volume on a canvas: grey values, labels over them, crosshair, scale bar.

import { colour, element, roundLength } from "./dom.mjs";
import { colourLabels, fetchLayer, isKept, Mismatch } from "./slices.mjs";
import { listenToPointer } from "./pointer.mjs";
import { Sight } from "./sight.mjs";

const COARSE_PX = 128;
const GRID = 128;

export class Plane {
  // on: { pick(row, column), step(planes), shown(), failed(why) }
  constructor(axis, name, on) {
    this.axis = axis;
    this.name = name;
    this.on = on;
    this.sight = new Sight();
    this.wish = null; // the newest; answers to older ones are dropped
    this.busy = false;
    this.shown = null; // { wish, image, labels }
    this.overlay = document.createElement("canvas");
    this.look = { classes: [], hidden: new Set(), opacity: 0.6, cross: [0, 0], voxel_um: 1 };
    this.canvas = element("canvas", {
      tabindex: 0, role: "img", "aria-label": name, "data-axis": axis, class: "plane-canvas",
    });
    this.aborting = new AbortController();
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.canvas);
    this.listen();
  }

  listen() {
    listenToPointer(this.canvas, this.sight, {
      changed: () => this.moved(),
      picked: (row, column) => this.on.pick(Math.floor(row), Math.floor(column)),
      stepped: this.on.step,
    });
  }

  close() {
    this.aborting.abort();
    this.observer.disconnect();
  }

  resize() {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = Math.max(1, Math.round(clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(clientHeight * ratio));
    this.sight.setCanvas(clientWidth, clientHeight);
    this.refine();
    this.draw();
  }

  // wish: { experiment, scan, token, labels, axis, index, window }, rows, columns of the plane
  show(wish, rows, columns) {
    this.sight.setPicture(rows, columns);
    this.wish = wish;
    this.load();
  }

  clear() {
    this.wish = this.shown = null;
    this.draw();
  }

  moved() {
    this.draw();
    clearTimeout(this.refining);
    this.refining = setTimeout(() => this.refine(), 120);
  }

  refine() {
    if (this.shown && this.wish && this.shown.detail !== this.detail()) this.load();
  }

  // What would be asked for now: a part at full detail once zoomed, else the whole plane.
  detail() {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const wanted = Math.max(this.sight.width, this.sight.height) * ratio;
    const px = Math.min(2048, Math.max(COARSE_PX, 2 ** Math.ceil(Math.log2(wanted))));
    const box = this.sight.isWhole ? null : this.sight.seen(GRID);
    return JSON.stringify([px, box]);
  }

  async load() {
    if (this.busy) return; // what is newest then is loaded when this is done
    this.busy = true;
    for (let wish = null; this.wish && this.wish !== wish; ) {
      wish = this.wish;
      try {
        await this.loadWish(wish);
      } catch (error) {
        if (error instanceof Mismatch) console.warn(error.message);
        else if (error.name !== "AbortError") this.fail(error);
      }
    }
    this.busy = false;
  }

  async loadWish(wish) {
    for (let detail = ""; this.wish === wish && detail !== this.detail(); ) {
      detail = this.detail();
      const [px, box] = JSON.parse(detail);
      const { shown } = this;
      if (shown && shown.wish === wish && shown.detail === detail) return;
      const isSame = shown && shown.wish.index === wish.index && shown.wish.token === wish.token;
      if (!isSame && !isKept({ ...wish, box }, px)) await this.take(wish, null, COARSE_PX, "coarse");
      if (this.wish === wish) await this.take(wish, box, px, detail);
    }
  }

  async take(wish, box, px, detail) {
    const signal = this.aborting.signal;
    const asked = { ...wish, box };
    const [image, labels] = await Promise.all([
      fetchLayer(asked, "image", px, signal),
      wish.labels ? fetchLayer(asked, "labels", px, signal) : null,
    ]);
    if (this.wish !== wish) return;
    this.shown = { wish, image, labels, detail };
    this.canvas.dataset.scan = wish.scan;
    this.canvas.dataset.index = wish.index;
    this.canvas.dataset.level = image.about.level;
    this.canvas.dataset.labels = labels ? "yes" : "no";
    this.recolour();
    this.on.shown();
  }

  fail(error) {
    this.shown = null;
    this.on.failed(error.message);
    this.draw();
  }

  recolour() {
    const labels = this.shown && this.shown.labels;
    if (labels) colourLabels(labels, this.look.classes, this.look.hidden, this.overlay);
    this.draw();
  }

  classAt(row, column) {
    const labels = this.shown && this.shown.labels;
    if (!labels) return null;
    const [top, left, bottom, right] = labels.about.box;
    const y = Math.floor(((row + 0.5 - top) / (bottom - top)) * labels.height);
    const x = Math.floor(((column + 0.5 - left) / (right - left)) * labels.width);
    if (x < 0 || y < 0 || x >= labels.width || y >= labels.height) return null;
    return labels.numbers[y * labels.width + x];
  }

  draw() {
    const context = this.canvas.getContext("2d");
    const ratio = this.canvas.width / Math.max(1, this.sight.width);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.sight.width, this.sight.height);
    if (!this.shown) return;
    const { image, labels } = this.shown;
    context.imageSmoothingEnabled = this.sight.scale < 1;
    this.put(context, image.image, image.about.box);
    if (labels && this.look.opacity > 0) {
      context.globalAlpha = this.look.opacity;
      context.imageSmoothingEnabled = false;
      this.put(context, this.overlay, labels.about.box);
      context.globalAlpha = 1;
    }
    this.drawCross(context);
    this.drawScale(context);
  }

  put(context, picture, [top, left, bottom, right]) {
    const [x0, y0] = this.sight.toCanvas(top, left);
    const [x1, y1] = this.sight.toCanvas(bottom, right);
    context.drawImage(picture, x0, y0, x1 - x0, y1 - y0);
  }

  drawCross(context) {
    const [x, y] = this.sight.toCanvas(this.look.cross[0] + 0.5, this.look.cross[1] + 0.5);
    const [x0, y0] = this.sight.toCanvas(0, 0);
    const [x1, y1] = this.sight.toCanvas(this.sight.rows, this.sight.columns);
    context.lineWidth = 1;
    context.strokeStyle = "rgba(255, 255, 255, 0.65)";
    context.setLineDash([5, 4]);
    context.beginPath();
    for (const [fromX, fromY, toX, toY] of [[x0, y, x - 7, y], [x + 7, y, x1, y],
      [x, y0, x, y - 7], [x, y + 7, x, y1]]) {
      context.moveTo(fromX, fromY);
      context.lineTo(toX, toY);
    }
    context.stroke();
    context.setLineDash([]);
  }

  drawScale(context) {
    const um = roundLength((this.sight.width * 0.3 * this.look.voxel_um) / this.sight.scale);
    const length = (um / this.look.voxel_um) * this.sight.scale;
    const [x, y] = [10, this.sight.height - 10];
    context.fillStyle = "rgba(0, 0, 0, 0.6)";
    context.fillRect(x - 4, y - 21, Math.max(length, 50) + 8, 27);
    context.fillStyle = colour("--picture-text") || "#ffffff";
    context.fillRect(x, y - 3, length, 3);
    context.font = "600 11px system-ui, sans-serif";
    context.fillText(`${um} µm`, x, y - 8);
  }
}
