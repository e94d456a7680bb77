// A plane that is painted on: strokes by pointer or by keys, over the answer, over grey values.

import { Plane } from "./plane.mjs";
import { colourLabels } from "./slices.mjs";

const STEP = 1.25;
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export class PaintPlane extends Plane {
  // on: { begin(at), go(at), end(), cancel(), pen(), step(planes), may(), brush(), shown(), failed(why) }
  listen() {
    this.pointers = new Map();
    this.mode = "";
    this.at = [0, 0]; // the brush, in pixels of the plane
    this.layers = { answer: null, strokes: null };
    this.shade = { answer: 0.5, strokes: 0.9 };
    const { canvas } = this;
    canvas.setAttribute("role", "application");
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => this.up(event));
    canvas.addEventListener("auxclick", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
    for (const name of ["focus", "blur"]) canvas.addEventListener(name, () => this.draw());
  }

  place(event) {
    const frame = this.canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }

  pixel(event) {
    const [row, column] = this.sight.toPicture(...this.place(event)).map(Math.floor);
    return this.inside([row, column]);
  }

  inside([row, column]) {
    return [
      Math.min(this.sight.rows - 1, Math.max(0, row)),
      Math.min(this.sight.columns - 1, Math.max(0, column)),
    ];
  }

  down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.place(event));
    if (this.pointers.size === 2) {
      if (this.mode === "paint") this.on.cancel();
      this.mode = "pinch";
      this.spread = this.spreadOf();
    } else if (event.button === 1 || event.shiftKey || !this.on.may()) {
      this.mode = "move";
    } else if (event.button === 0) {
      this.mode = "paint";
      this.at = this.pixel(event);
      this.on.begin(this.at);
    }
  }

  spreadOf() {
    const [first, second] = [...this.pointers.values()];
    return Math.hypot(first[0] - second[0], first[1] - second[1]);
  }

  move(event) {
    const now = this.place(event);
    const before = this.pointers.get(event.pointerId);
    if (before) this.pointers.set(event.pointerId, now);
    if (this.mode === "paint" && before) {
      // A quick hand makes several moves between two pictures.
      for (const each of [...event.getCoalescedEvents(), event]) {
        this.at = this.pixel(each);
        this.on.go(this.at);
      }
      return;
    }
    this.at = this.pixel(event);
    if (this.mode === "move" && before) this.sight.move(now[0] - before[0], now[1] - before[1]);
    if (this.mode === "pinch" && before && this.pointers.size === 2) {
      const wider = this.spreadOf();
      this.sight.zoomAt(...now, wider / Math.max(1, this.spread));
      this.spread = wider;
    }
    if (before && this.mode) this.moved();
    else this.draw();
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    if (this.mode === "paint") this.on.end();
    if (this.pointers.size === 0) this.mode = "";
  }

  wheel(event) {
    if (!event.ctrlKey && document.activeElement !== this.canvas) return;
    event.preventDefault();
    this.sight.zoomAt(...this.place(event), event.deltaY < 0 ? STEP : 1 / STEP);
    this.moved();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { PageUp: 1, PageDown: -1 };
    const zooms = { "+": STEP, "=": STEP, "-": 1 / STEP };
    const way = ARROWS[event.key];
    if (way) {
      const far = event.shiftKey ? 10 : 1;
      this.at = this.inside([this.at[0] + far * way[0], this.at[1] + far * way[1]]);
      this.on.go(this.at); // paints while the pen is down
      this.draw();
    } else if (event.key === " ") {
      this.on.begin(this.at);
      this.on.end();
    } else if (event.key === "Enter") this.on.pen(this.at);
    else if (event.key in steps) this.on.step(steps[event.key]);
    else if (event.key in zooms) {
      this.sight.zoomAt(this.sight.width / 2, this.sight.height / 2, zooms[event.key]);
      this.moved();
    } else if (event.key === "0") {
      this.sight.reset();
      this.moved();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // name: answer or strokes; layer: { numbers, width, height } or null
  lay(name, layer, classes) {
    if (layer === null) this.layers[name] = null;
    else {
      this.layers[name] ??= document.createElement("canvas");
      colourLabels(layer, classes, new Set(), this.layers[name]);
    }
    this.draw();
  }

  drawCross(context) {
    const whole = [0, 0, this.sight.rows, this.sight.columns];
    context.imageSmoothingEnabled = false;
    for (const name of ["answer", "strokes"]) {
      if (!this.layers[name]) continue;
      context.globalAlpha = this.shade[name];
      this.put(context, this.layers[name], whole);
    }
    context.globalAlpha = 1;
    this.drawBrush(context);
  }

  drawBrush(context) {
    const [x, y] = this.sight.toCanvas(this.at[0] + 0.5, this.at[1] + 0.5);
    const radius = Math.max(2, (this.on.brush() / 2) * this.sight.scale);
    for (const [colour, wide] of [["#000000", 3], ["#ffffff", 1.2]]) {
      context.strokeStyle = colour;
      context.lineWidth = wide;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.stroke();
    }
  }
}
