// The network for this cell: begun from here, followed, and compared before and after.

import { element, setText } from "./dom.mjs";

const LOOK_MS = 2000;
const S_PER_MIN = 60;
const WORDS = {
  begun: "begins", learning: "learns", judging: "is judged on slices that it has not seen",
};

export class FineTune {
  constructor(place) {
    this.place = place;
    Object.assign(this, { experiment: null, about: null, told: "", mayAsk: false, isAsking: false });
    this.begin = element("button", { id: "fine-tune", type: "button", class: "plain",
      title: "Let the network go on learning from what is painted" }, "Fine-tune the network");
    this.begin.addEventListener("click", () => this.ask());
    this.steps = element("input", { id: "fine-tune-steps", type: "number", min: 1, max: 20000, value: 400 });
    const steps = element("label", { class: "tool-row" }, "Steps", this.steps);
    this.bar = element("progress", { id: "fine-tune-bar", max: 1, value: 0, "aria-label": "Steps taken" });
    this.text = element("p", { id: "fine-tune-text", role: "status" });
    this.report = element("div", { id: "fine-tune-report" });
    place.replaceChildren(element("div", { class: "tool-row" }, this.begin, steps), this.bar, this.text, this.report);
    this.timer = setInterval(() => this.look(), LOOK_MS);
    this.show();
  }

  close() {
    clearInterval(this.timer);
  }

  of(experiment, mayAsk) {
    const isOther = experiment !== this.experiment;
    Object.assign(this, { experiment, mayAsk });
    if (isOther) this.look();
    else this.show();
  }

  get address() {
    return `/api/v1/fine-tune/${encodeURIComponent(this.experiment)}`;
  }

  async look() {
    if (!this.experiment || document.hidden) return;
    const { experiment } = this;
    try {
      const reply = await fetch(`${this.address}.json`, { cache: "no-store" });
      const found = await reply.json();
      if (!reply.ok) throw new Error(found.error);
      if (experiment === this.experiment) this.about = found;
      this.show();
    } catch (error) {
      setText(this.text, error.message);
    }
  }

  async ask() {
    if (this.isAsking) return;
    this.isAsking = true;
    this.show();
    try {
      const { csrf } = await window.lithoscope.session();
      const reply = await fetch("/api/v1/fine-tune", {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
        body: JSON.stringify({ experiment: this.experiment, n_steps: Number(this.steps.value) }),
      });
      const found = await reply.json();
      if (!reply.ok) throw new Error(found.error);
      this.about = found;
      this.isAsking = false;
      this.show();
    } catch (error) {
      this.isAsking = false;
      this.show();
      this.say(error.message, true);
    }
  }

  get isRunning() {
    return Boolean(this.about && this.about.run && this.about.run.status in WORDS);
  }

  show() {
    const { about } = this;
    const painted = about ? about.n_painted : 0;
    // The field too: a letter typed into it would not choose a class.
    this.begin.disabled = !this.mayAsk || this.isRunning || this.isAsking || !painted;
    this.steps.disabled = this.begin.disabled;
    this.bar.hidden = !this.isRunning;
    const state = JSON.stringify([about, this.isAsking]);
    if (state === this.told) return;
    this.told = state;
    const run = about && about.run;
    this.place.dataset.status = run ? run.status : "none";
    this.place.dataset.number = about ? about.number : 0;
    if (!run) this.say(this.advice(painted));
    else if (this.isRunning) this.follow(run);
    else if (run.status === "failed") this.say(`Not done: ${run.message}`, true);
    else this.say(this.verdict(run.found));
    this.report.replaceChildren(...(run && run.status === "done" ? this.compared(run.found) : []));
  }

  say(text, isBad = false) {
    setText(this.text, text);
    this.text.classList.toggle("bad", isBad);
  }

  advice(painted) {
    if (!painted) return "Paint seven slices of scans in which something has grown; then the network learns from them.";
    return `${painted} slice${painted === 1 ? " is" : "s are"} painted. Two of seven are kept to judge by; it takes some minutes.`;
  }

  follow(run) {
    this.bar.value = run.n_steps ? run.step / run.n_steps : 0;
    const spent_s = Number(BigInt(run.now_ns) - BigInt(run.began_ns)) / 1e9;
    const left_s = run.step ? (spent_s * (run.n_steps - run.step)) / run.step : null;
    const left = run.status === "learning" && left_s !== null ? `, ${minutes(left_s)} left` : "";
    const steps = run.step ? `: step ${run.step} of ${run.n_steps}${left}` : "";
    this.say(`The network ${WORDS[run.status]}${steps}.`);
  }

  verdict(found) {
    const spent = `${found.n_steps} steps, ${minutes(found.cpu_s)} of a core.`;
    return found.is_validated
      ? `It counts as validated on this experiment. ${spent}`
      : `It does not count as validated: ${found.why_not}. ${spent}`;
  }

  // found: as `lithoscope model fine-tune --json` says it
  compared(found) {
    const cells = (...each) => each.map((one) => element("td", {}, one));
    const score = (value) => (value === undefined ? "–" : value.toFixed(2));
    const rows = Object.entries(found.after).map(([name, value]) => element("tr", { "data-class": name },
      element("th", { scope: "row" }, name),
      ...cells(String(found.painted_voxels[name]), score(found.before[name]), score(value))));
    const heads = ["class", "voxels", "before", "after"].map((each) => element("th", { scope: "col" }, each));
    const pictures = found.pictures.map((name) => {
      const address = `${this.address}/${this.about.number}/${name}`;
      const [, , scan, slice] = name.replace(".png", "").split("-").map(Number);
      const text = `Scan ${scan}, slice ${slice}: grey values, painted, before, after`;
      return element("a", { href: address, target: "_blank", title: text },
        element("img", { src: address, alt: text, class: "report-picture" }));
    });
    const { experiment } = this;
    const again = `lithoscope reprocess ${experiment} --as ${experiment}-own --set segment.model=${found.model}`;
    return [
      element("table", { class: "small" },
        element("caption", {}, "Intersection over union on slices that it has not seen"),
        element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows)),
      ...pictures,
      element("p", { class: "small" }, "Use it for the next experiment with ",
        element("code", {}, `segment.model = "${found.model}"`), ", or label this one anew:"),
      element("pre", { class: "small command", tabindex: 0 }, again),
    ];
  }
}

function minutes(seconds) {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.round(seconds / S_PER_MIN)} min`;
}
