// The live page: which scan is looked at, and what follows from it.

import { setText } from "./dom.mjs";
import { Ortho } from "./ortho.mjs";
import { forget } from "./slices.mjs";
import { isTyping } from "./dom.mjs";
import { Timeline } from "./timeline.mjs";

export function mount(place) {
  const ortho = new Ortho(document.getElementById("viewer"), JSON.parse(place.dataset.classes));
  const timeline = new Timeline(document.getElementById("timeline"), (scan) => choose(scan));
  const live = document.getElementById("live-button");
  const which = document.getElementById("shown-scan");
  let source = null;
  let chosen = null; // null: the newest, as it comes

  function choose(scan) {
    chosen = source && scan === source.newest ? null : scan;
    show();
  }

  function step(scans) {
    if (!source) return;
    const now = chosen === null ? source.newest : chosen;
    const places = source.scans.map((each) => each.scan);
    const next = places[places.indexOf(now) + scans];
    if (next !== undefined) choose(next);
  }

  function show() {
    if (!source) return;
    const scan = chosen === null ? source.newest : chosen;
    const about = source.scans.find((each) => each.scan === scan);
    live.setAttribute("aria-pressed", String(chosen === null));
    const hasVolume = Boolean(about && about.token);
    setText(which, about ? `scan ${scan} · ${about.note}` : "");
    which.dataset.scan = scan === null ? "" : scan;
    const why = about ? `Scan ${scan} has no volume yet: ${about.note}` : "No volume yet.";
    ortho.show(hasVolume ? { ...about, experiment: source.experiment } : null, why);
    timeline.update(source, scan);
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (event.key === "[") step(-1);
    else if (event.key === "]") step(1);
    else if (event.key === "End" && chosen !== null) choose(source.newest);
    else return;
    event.preventDefault();
  }

  live.addEventListener("click", () => source && choose(source.newest));
  document.addEventListener("keydown", onKey);
  const begin = Number.parseInt(new URLSearchParams(window.location.search).get("scan"), 10);
  if (Number.isInteger(begin)) chosen = begin;

  return {
    update(next) {
      if (source && source.experiment !== next.experiment) chosen = null;
      source = next;
      show();
    },
    close() {
      document.removeEventListener("keydown", onKey);
      timeline.close();
      ortho.close();
      forget();
    },
  };
}
