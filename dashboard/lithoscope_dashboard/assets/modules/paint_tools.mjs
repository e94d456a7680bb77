// The tools of the Labels page: classes, brush, rounds, shades; what was painted; the answer in words.

import { element, setText } from "./dom.mjs";

const KEYS = [
  ["B F E L D I V", "class"], ["X", "eraser"], ["[ ]", "brush"], ["Z, Y", "undo, redo"],
  ["A", "answer on, off"], ["N", "next suggested slice"], ["arrows", "move the brush (Shift: ten)"],
  ["Space", "a dab"], ["Enter", "pen down, up"], ["Page up, down", "slices"], ["+ - 0", "zoom"],
  ["Shift and drag", "move the picture"],
];

// on: { tool(value), brush(px), undo(), redo(), round(), shade(name, share), name(text) }
export class PaintTools {
  constructor(place, classes, on) {
    this.classes = classes;
    this.on = on;
    this.buttons = [...classes, { key: "erase", name: "erase", letter: "X", value: 255 }].map(
      (each) => this.toolButton(each),
    );
    this.brush = range("brush", "Diameter of the brush, voxels", 1, 64, 5);
    this.brushText = element("span", { id: "brush-text", class: "number small" });
    this.brush.addEventListener("input", () => on.brush(Number(this.brush.value)));
    this.undo = button("undo", "Undo", "Undo (key Z)", on.undo);
    this.redo = button("redo", "Redo", "Do again (key Y)", on.redo);
    this.round = button("next-round", "", "Corrections on the answer are the next round", on.round);
    this.roundText = element("span", { id: "round" });
    this.name = element("input", { id: "painter", maxlength: 40, autocomplete: "name" });
    this.name.addEventListener("change", () => on.name(this.name.value.trim()));
    this.nameLine = element("label", { class: "tool-row" }, "Your name", this.name);
    this.saved = element("p", { id: "labels-saved", class: "small", role: "status" });
    const shades = [["answer", "Answer", 50], ["strokes", "Strokes", 90]].map(([name, text, value]) => {
      const input = range(`shade-${name}`, `Opacity: ${text}`, 0, 100, value);
      input.addEventListener("input", () => on.shade(name, Number(input.value) / 100));
      return element("label", { class: "tool-row" }, text, input);
    });
    place.replaceChildren(
      element("div", { class: "toggles", role: "group", "aria-label": "What is painted" },
        ...this.buttons),
      element("label", { class: "tool-row" }, "Brush", this.brush, this.brushText),
      element("div", { class: "tool-row" }, this.undo, this.redo),
      ...shades,
      element("div", { class: "tool-row" }, this.roundText, this.round),
      this.nameLine,
      this.saved,
    );
  }

  toolButton(each) {
    const swatch = element("i", { class: "swatch", "aria-hidden": "true" }, each.letter);
    swatch.style.background = each.css || "transparent";
    swatch.style.color = each.ink || "inherit";
    const made = element("button", {
      type: "button", class: "toggle tool", "data-tool": each.key, "data-value": each.value,
      title: `${each.name} (key ${each.letter})`,
    }, swatch, each.name);
    made.addEventListener("click", () => this.on.tool(each.value));
    return made;
  }

  // state: { tool, brush, round, mayAdvance, isClosed, hasLogin, person }
  show(state) {
    for (const each of this.buttons) {
      each.setAttribute("aria-pressed", String(Number(each.dataset.value) === state.tool));
      each.disabled = state.isClosed;
    }
    this.brush.value = state.brush;
    setText(this.brushText, `${state.brush} voxels`);
    setText(this.roundText, `Round ${state.round}`);
    setText(this.round, `Begin round ${state.round + 1}`);
    this.round.disabled = !state.mayAdvance;
    this.undo.disabled = this.redo.disabled = state.isClosed;
    this.nameLine.hidden = state.hasLogin;
    if (document.activeElement !== this.name) this.name.value = state.person;
  }

  say(text, isBad = false) {
    setText(this.saved, text);
    this.saved.classList.toggle("bad", isBad);
  }
}

export function showKeys(place) {
  place.replaceChildren(
    element("dl", { class: "keys small" },
      ...KEYS.flatMap(([keys, what]) => [element("dt", {}, keys), element("dd", {}, what)])),
  );
}

// planes: as the server lists them; go(axis, index)
export function showPainted(place, planes, go) {
  const lines = planes.map((each) => {
    const when = new Date(Number(BigInt(each.time_ns) / 1000000n)).toLocaleTimeString("en-GB");
    const text = `${each.axis} ${each.index} · round ${each.round} · ${each.person} · ${when}`;
    const made = button(null, text, "Go to this slice", () => go(each.axis, each.index));
    made.classList.add("painted-line");
    return element("li", {}, made);
  });
  const nothing = element("p", { class: "muted" }, "Nothing yet.");
  place.replaceChildren(lines.length ? element("ul", { class: "painted-list" }, ...lines) : nothing);
}

const WORDS = {
  waiting: "waits", training: "a forest is trained", answering: "answers slice by slice",
  done: "whole", failed: "failed",
};

// answer: as the server tells it; isFresh: whether it has seen all strokes
export function showAnswer(place, answer, isFresh, go) {
  const lines = [];
  if (answer.token) {
    const seen = `${answer.n_pixels} pixels of ${answer.n_planes} ` +
      `slice${answer.n_planes === 1 ? "" : "s"}, trained in ${answer.trained_s.toFixed(1)} s`;
    lines.push(element("p", {}, `${WORDS[answer.status]}: ${seen}; ` +
      (isFresh ? "it has seen all strokes." : "newer strokes are not in it yet.")));
  } else lines.push(element("p", { class: "muted" }, "Paint two classes: a forest answers at once."));
  if (answer.message) lines.push(element("p", { class: answer.status === "failed" ? "bad" : "" },
    answer.message));
  if (answer.suggested.length) {
    const doubt = `${(100 * answer.mean_doubt).toFixed(0)} % doubt on average.`;
    lines.push(element("p", {}, `Paint next (${doubt})`),
      element("div", { class: "tool-row", id: "suggested" }, ...answer.suggested.map((index) =>
        button(null, `${answer.axis} ${index}`, "Go to this slice", () => go(answer.axis, index)))));
  }
  place.replaceChildren(...lines);
  place.dataset.status = answer.status;
  place.dataset.token = answer.token;
  place.dataset.fresh = isFresh ? "yes" : "no";
}

function range(id, label, min, max, value) {
  return element("input", { type: "range", id, min, max, value, "aria-label": label });
}

function button(id, text, title, work) {
  const made = element("button", { id, type: "button", class: "plain", title }, text);
  made.addEventListener("click", work);
  return made;
}
