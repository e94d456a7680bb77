// What is painted on a scan: planes as they are here, what of them the server has, and its answer.

import { numbersOf } from "./slices.mjs";
import { apply, differences, UNPAINTED } from "./strokes.mjs";

const MOST_RUNS = 20000; // as the server takes
const AGAIN_MS = 3000;

export class Painted {
  // on: { sent(), failed(why) }
  constructor(scan, person, on) {
    Object.assign(this, { scan, person, on });
    this.planes = new Map();
    this.isSending = false;
    this.newest_ns = 0n; // of what was sent from here: the server may not list it yet
    this.answers = new Map();
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.again);
  }

  get query() {
    return new URLSearchParams(this.person() ? { name: this.person() } : {});
  }

  address(kind, rest) {
    return `/api/v1/${kind}/${encodeURIComponent(this.scan.experiment)}/${this.scan.scan}${rest}`;
  }

  // Who painted what, and how far the answer is.
  async about() {
    const reply = await fetch(`${this.address("labels", ".json")}?${this.query}`, { cache: "no-store" });
    const found = await reply.json();
    if (!reply.ok) throw new Error(found.error || reply.statusText);
    return found;
  }

  // A plane as it is painted here; its own strokes of the round can be changed.
  async plane(axis, index, round, isAnew) {
    const key = `${axis}/${index}/${round}`;
    let known = this.planes.get(key);
    if (known && !isAnew) return known;
    const query = this.query;
    query.set("round", round);
    const layer = await this.numbers("painted", `/${axis}/${index}.png?${query}`, { axis, index });
    const size = (layer.height / 2) * layer.width;
    const below = layer.numbers.slice(size);
    known = this.planes.get(key);
    if (known) return Object.assign(known, { below }); // own strokes here are newer
    const now = layer.numbers.slice(0, size);
    known = { key, axis, index, round, rows: layer.height / 2, columns: layer.width, below, now };
    known.stored = now.slice();
    this.planes.set(key, known);
    return known;
  }

  async answer(axis, index, token) {
    const key = `${axis}/${index}/${token}`;
    if (!this.answers.has(key)) {
      const made = this.numbers("answer", `/${axis}/${index}.png?v=${token}`, { axis, index });
      this.answers.clear(); // one is shown at a time
      this.answers.set(key, made);
      made.catch(() => this.answers.delete(key));
    }
    return this.answers.get(key);
  }

  async numbers(kind, rest, wanted) {
    const reply = await fetch(this.address(kind, rest));
    if (!reply.ok) throw new Error((await reply.json()).error || reply.statusText);
    const about = JSON.parse(reply.headers.get("X-Lithoscope-About"));
    const isAsked = about.experiment === this.scan.experiment && about.scan === this.scan.scan &&
      about.axis === wanted.axis && about.index === wanted.index && about.layer === kind;
    if (!isAsked) throw new Error(`asked for ${rest}, got ${JSON.stringify(about)}`);
    const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
    return numbersOf(about, await createImageBitmap(await reply.blob(), options));
  }

  get unsent() {
    return [...this.planes.values()].filter((each) => differences(each.stored, each.now, 1).length);
  }

  // One after another; what was painted meanwhile goes with the next one.
  async send() {
    if (this.isSending) return;
    this.isSending = true;
    clearTimeout(this.again);
    try {
      for (let plane = this.unsent[0]; plane; plane = this.unsent[0]) {
        const runs = differences(plane.stored, plane.now, MOST_RUNS);
        const { axis, index, round } = plane;
        const { experiment, scan, token } = this.scan;
        const place = { experiment, scan, token, axis, index, round };
        const wish = { ask: "paint", ...place, runs, nonce: window.lithoscope.nonce() };
        if (this.person()) wish.name = this.person();
        const { time_ns } = await window.lithoscope.send(wish);
        this.newest_ns = BigInt(time_ns);
        apply(runs, plane.stored);
        this.on.sent();
      }
    } catch (error) {
      if (!this.isClosed) this.again = setTimeout(() => this.send(), AGAIN_MS);
      this.on.failed(error.message);
    } finally {
      this.isSending = false;
    }
  }
}

// Own strokes over those of others and of earlier rounds.
export function together(plane) {
  const numbers = plane.below.slice();
  plane.now.forEach((value, at) => {
    if (value !== UNPAINTED) numbers[at] = value;
  });
  return { numbers, width: plane.columns, height: plane.rows };
}
