// The Labels page: a slice is painted on, a forest answers, corrections are the next round.

import { element, setText } from "./dom.mjs";
import { FineTune } from "./fine_tune.mjs";
import { PaintPlane } from "./paint_plane.mjs";
import { Painted, together } from "./painted.mjs";
import { PaintTools, showAnswer, showKeys, showPainted } from "./paint_tools.mjs";
import { forget } from "./slices.mjs";
import { History, stamp, UNPAINTED } from "./strokes.mjs";

const LOOK_MS = 1000;
const AXES = ["z", "y", "x"];
const NAMES = { z: "Cross-section", y: "In plane", x: "Side view" };
const KEPT_NAME = "lithoscope-person";

export function mount(place) {
  return new LabelsPage(JSON.parse(place.dataset.classes));
}

class LabelsPage {
  constructor(classes) {
    this.classes = classes;
    // What fills a slice would hide its grey values.
    this.answered = classes.filter((each) => each.key !== "background").map((each) => ({
      ...each, alpha: each.key === "electrolyte" ? 80 : each.alpha,
    }));
    Object.assign(this, { tool: 1, brush: 5, axis: "z", index: null, round: 1, about: null });
    Object.assign(this, { scan: null, painted: null, plane: null, stroke: null, penIsDown: false });
    Object.assign(this, { closed: "", session: null, isLooking: false, isShown: true, laid: "" });
    this.person = window.localStorage.getItem(KEPT_NAME) || "";
    this.history = new History();
    this.canvas = new PaintPlane("z", "Slice", {
      begin: (at) => this.begin(at), go: (at) => this.go(at), end: () => this.end(),
      cancel: () => this.cancel(), pen: (at) => this.pen(at), step: (n) => this.step(n),
      may: () => this.mayPaint, brush: () => this.brush,
      shown: () => setText(this.note, ""), failed: (why) => setText(this.note, why),
    });
    this.tools = new PaintTools(document.getElementById("labels-tools"), classes, {
      tool: (value) => this.take(value), brush: (px) => this.resize(px),
      undo: () => this.turnBack("undo"), redo: () => this.turnBack("redo"),
      round: () => this.advance(), shade: (name, share) => this.fade(name, share),
      name: (text) => this.rename(text),
    });
    this.build(document.getElementById("labels-viewer"));
    showKeys(document.getElementById("labels-keys"));
    this.network = new FineTune(document.getElementById("labels-network"));
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
    this.timer = setInterval(() => this.look(), LOOK_MS);
    window.lithoscope.session().then((found) => {
      this.session = found;
      this.tell();
    }).catch((error) => this.tools.say(error.message, true));
  }

  close() {
    document.removeEventListener("keydown", this.onKey);
    clearInterval(this.timer);
    if (this.painted) this.painted.close();
    this.canvas.close();
    this.network.close();
    forget();
  }

  build(place) {
    this.note = element("div", { id: "labels-note", class: "viewer-note", role: "status" });
    this.slider = element("input", { type: "range", id: "labels-slice", min: 0, max: 0, value: 0,
      "aria-label": "Slice" });
    this.slider.addEventListener("input", () => this.goTo(this.axis, Number(this.slider.value)));
    this.scans = element("select", { id: "labels-scan", "aria-label": "Scan" });
    this.scans.addEventListener("change", () => this.choose(Number(this.scans.value)));
    this.axes = element("select", { id: "labels-axis", "aria-label": "Slices" },
      ...AXES.map((axis) => element("option", { value: axis }, `${NAMES[axis]} (${axis})`)));
    this.axes.addEventListener("change", () => this.goTo(this.axes.value, null));
    place.replaceChildren(
      element("div", { class: "planes one-plane" },
        element("figure", { class: "plane" }, this.canvas.canvas), this.note),
      element("div", { class: "tool-row" }, this.scans, this.axes, this.slider),
    );
  }

  get mayPaint() {
    const isAllowed = this.session !== null && this.session.role !== "viewer";
    return isAllowed && !this.closed && this.plane !== null;
  }

  // source: { experiment, scans, closed }
  update(source) {
    this.closed = source.closed;
    this.source = source;
    this.scans.replaceChildren(...source.scans.map((each) =>
      element("option", { value: each.scan }, `scan ${each.scan} · ${each.note}`)));
    const wanted = Number.parseInt(new URLSearchParams(window.location.search).get("scan"), 10);
    const known = source.scans.map((each) => each.scan);
    const isSame = this.scan && this.scan.experiment === source.experiment;
    const now = isSame ? this.scan.scan : known.includes(wanted) ? wanted : known.at(-1);
    if (now === undefined) setText(this.note, source.closed || "A scan is painted on once it has labels.");
    else this.choose(now);
  }

  choose(scan) {
    const about = { ...this.source.scans.find((each) => each.scan === scan) };
    about.experiment = this.source.experiment;
    this.scans.value = scan;
    const isSame = this.scan && this.scan.scan === scan && this.scan.token === about.token;
    this.scan = about;
    if (isSame) return this.tell();
    if (this.painted) this.painted.close();
    this.painted = new Painted(about, () => this.person, {
      sent: () => this.sent(),
      failed: (why) => this.tools.say(`Not stored: ${why}`, true),
    });
    this.history = new History();
    this.about = this.plane = null;
    this.index = null;
    this.look().then(() => {
      const rounds = this.about ? this.about.planes.map((each) => each.round) : [];
      this.round = Math.max(1, ...rounds);
      this.goTo(this.axis, null);
    });
  }

  // Which slice, and what lies on it.
  async goTo(axis, index) {
    if (!this.scan) return;
    const normal = AXES.indexOf(axis);
    const last = this.scan.shape[normal] - 1;
    const wanted = index ?? Math.floor((last + 1) / 2);
    this.canvas.axis = this.axis = axis;
    this.index = Math.min(last, Math.max(0, wanted));
    const [rows, columns] = this.scan.shape.filter((_, each) => each !== normal);
    const um = (this.index * this.scan.voxel_um).toFixed(1);
    const text = `${axis} ${this.index} of ${last + 1} · ${um} µm`;
    setText(document.getElementById("labels-place"), `scan ${this.scan.scan} · ${text}`);
    this.slider.max = last;
    this.slider.value = this.index;
    this.axes.value = axis;
    const { canvas } = this.canvas;
    canvas.setAttribute("aria-label", `${NAMES[axis]} of scan ${this.scan.scan}, ${text}: paint`);
    canvas.dataset.axis = axis;
    this.canvas.look.voxel_um = this.scan.voxel_um;
    this.plane = null;
    this.laid = "";
    this.canvas.lay("strokes", null);
    this.canvas.lay("answer", null);
    this.canvas.show({ ...this.scan, labels: false, axis, index: this.index, window: null },
      rows, columns);
    await this.bring();
  }

  // Fetches what is painted and answered on this slice; drops what came too late.
  async bring(isAnew = false) {
    const { axis, index, round, painted } = this;
    const isHere = () => this.painted === painted && this.axis === axis && this.index === index &&
      this.round === round;
    try {
      const plane = await painted.plane(axis, index, round, isAnew);
      if (!isHere()) return;
      this.plane = plane;
      this.canvas.canvas.dataset.painted = plane.key;
      this.lay();
      await this.layAnswer(isHere);
    } catch (error) {
      if (isHere()) setText(this.note, error.message);
    }
    this.tell();
  }

  async layAnswer(isHere) {
    const { axis, index } = this;
    const answer = this.about && this.about.answer;
    const has = answer && this.isShown && answer.axis === axis && answer.planes.includes(index);
    const token = has ? answer.token : "";
    if (token === this.laid) return;
    const layer = token ? await this.painted.answer(axis, index, token) : null;
    if (!isHere()) return;
    this.laid = token;
    this.canvas.lay("answer", layer, this.answered);
    this.canvas.canvas.dataset.answer = token;
  }

  lay() {
    if (this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(() => {
      this.isWaiting = false;
      if (this.plane) this.canvas.lay("strokes", together(this.plane), this.classes);
    });
  }

  // Asks who painted what, and how far the answer is; never twice at a time.
  async look() {
    if (!this.painted || this.isLooking || document.hidden) return;
    this.isLooking = true;
    const { painted } = this;
    try {
      const about = await painted.about();
      if (this.painted !== painted) return;
      const before = JSON.stringify(this.othersHere());
      this.about = about;
      if (this.plane && before !== JSON.stringify(this.othersHere())) await this.bring(true);
      else if (this.plane) await this.layAnswer(() => this.painted === painted);
    } catch (error) {
      if (this.painted === painted) this.tools.say(error.message, true);
    } finally {
      this.isLooking = false;
    }
    this.tell();
  }

  othersHere() {
    const planes = this.about ? this.about.planes : [];
    return planes.filter((each) => each.axis === this.axis && each.index === this.index &&
      !(each.is_mine && each.round === this.round));
  }

  tell() {
    const planes = this.about ? this.about.planes : [];
    const mayAdvance = this.mayPaint && planes.some((each) => each.round === this.round);
    this.tools.show({ tool: this.tool, brush: this.brush, round: this.round, mayAdvance,
      isClosed: Boolean(this.closed) || (this.session !== null && this.session.role === "viewer"),
      hasLogin: this.session === null || this.session.login, person: this.person });
    const isOperator = this.session !== null && this.session.role !== "viewer";
    if (this.scan) this.network.of(this.scan.experiment, isOperator);
    const go = (axis, index) => this.goTo(axis, index);
    if (this.about) {
      const text = JSON.stringify(planes);
      if (text !== this.listed) showPainted(document.getElementById("labels-painted"), planes, go);
      this.listed = text;
      const newest = planes.reduce((most, each) => {
        const time_ns = BigInt(each.time_ns);
        return time_ns > most ? time_ns : most;
      }, this.painted.newest_ns);
      const { answer } = this.about;
      const isFresh = !this.painted.unsent.length && BigInt(answer.of_ns) >= newest;
      const answerText = JSON.stringify([answer, isFresh]);
      if (answerText !== this.told) showAnswer(document.getElementById("labels-answer"), answer, isFresh, go);
      this.told = answerText;
    }
    if (this.closed) this.tools.say(this.closed);
    else if (this.session && this.session.role === "viewer") {
      this.tools.say("A viewer looks; painting needs an operator.");
    }
  }

  begin(at) {
    if (!this.mayPaint) return;
    this.stroke = { changed: new Map(), last: at };
    this.dab(at);
  }

  go(at) {
    if (this.stroke) this.dab(at);
  }

  dab(at) {
    const { now, rows, columns } = this.plane;
    const { stroke } = this;
    stamp(now, rows, columns, stroke.last, at, this.brush, this.tool, stroke.changed);
    stroke.last = at;
    this.lay();
  }

  end() {
    if (!this.stroke || this.penIsDown) return;
    this.history.push(this.plane, this.stroke.changed);
    this.stroke = null;
    this.send();
  }

  cancel() {
    if (!this.stroke) return;
    for (const [at, value] of this.stroke.changed) this.plane.now[at] = value;
    this.stroke = null;
    this.lay();
  }

  pen(at) {
    if (this.penIsDown) {
      this.penIsDown = false;
      this.end();
    } else {
      this.begin(at);
      this.penIsDown = this.stroke !== null;
    }
    this.canvas.canvas.dataset.pen = this.penIsDown ? "down" : "up";
  }

  liftPen() {
    if (this.penIsDown) this.pen(null);
  }

  turnBack(which) {
    this.liftPen();
    const plane = this.mayPaint ? this.history[which]() : null;
    if (!plane) return;
    if (plane !== this.plane) {
      this.round = plane.round;
      this.goTo(plane.axis, plane.index);
    }
    this.lay();
    this.send();
  }

  send() {
    if (!this.painted.unsent.length) return;
    this.tools.say("Storing …");
    this.tell(); // the answer has not seen this stroke
    this.painted.send();
  }

  sent() {
    if (!this.painted.unsent.length) this.tools.say("All strokes are stored.");
    this.tell();
    this.look();
  }

  take(value) {
    this.liftPen();
    this.tool = value;
    this.tell();
  }

  resize(px) {
    this.brush = Math.min(64, Math.max(1, px));
    this.canvas.draw();
    this.tell();
  }

  fade(name, share) {
    this.canvas.shade[name] = share;
    this.canvas.draw();
  }

  rename(text) {
    this.person = text;
    window.localStorage.setItem(KEPT_NAME, text);
    this.painted.planes.clear();
    this.look().then(() => this.bring());
  }

  advance() {
    this.liftPen();
    this.round += 1;
    this.bring();
  }

  step(n) {
    this.liftPen();
    this.goTo(this.axis, this.index + n);
  }

  next() {
    const answer = this.about && this.about.answer;
    if (!answer || !answer.suggested.length) return;
    const at = answer.axis === this.axis ? answer.suggested.indexOf(this.index) : -1;
    this.goTo(answer.axis, answer.suggested[(at + 1) % answer.suggested.length]);
  }

  key(event) {
    const field = event.target.closest("input, select, textarea, dialog");
    if (event.metaKey || event.altKey || (field && field.type !== "range")) return;
    const key = event.key.toLowerCase();
    if (event.ctrlKey && !["z", "y"].includes(key)) return;
    const found = this.classes.find((each) => each.letter.toLowerCase() === key);
    if (found) this.take(found.value);
    else if (key === "x") this.take(UNPAINTED);
    else if (key === "z") this.turnBack(event.shiftKey ? "redo" : "undo");
    else if (key === "y") this.turnBack("redo");
    else if (key === "[") this.resize(this.brush - 1);
    else if (key === "]") this.resize(this.brush + 1);
    else if (key === "n") this.next();
    else if (key === "a") {
      this.isShown = !this.isShown;
      this.layAnswer(() => true);
    } else return;
    event.preventDefault();
  }
}
