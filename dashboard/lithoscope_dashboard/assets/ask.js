// What a person asks for. One way for all buttons: an element with data-ask, wherever it stands and
// whenever it was drawn, opens a dialog or is sent at once to POST /api/v1/requests.
(function () {
  "use strict";

  const own = (window.lithoscope = window.lithoscope || {});
  const DIALOGS = {
    approve: { title: "Approve", verb: "Approve", reason: "Reason (optional)" },
    reject: { title: "Reject", verb: "Reject", reason: "Reason (optional)" },
    release: { title: "Let the plan go on", verb: "Release the hold", reason: "Reason", must: true },
    arm: { title: "Arm: let rules act without asking", verb: "Arm", reason: "Reason", must: true },
  };
  const DONE = {
    approve: (each) => `Approval of proposal ${each.number} is in the journal.`,
    reject: (each) => `Rejection of proposal ${each.number} is in the journal.`,
    disarm: () => "Asked to disarm: it is in the journal.",
    arm: () => "Asked to arm: the lease begins when the answer is there.",
    acknowledge: () => "The acknowledgement is in the journal.",
    release: () => "Asked to let the plan go on: it is in the journal.",
    retry: (each) => `Asked to try scan ${each.scan} again: it is in the journal.`,
    replay: (each) => `Asked the replay: ${each.action}.`,
  };
  let session = null;

  function nonce() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");
  }

  function say(text, isBad) {
    const place = document.getElementById("answer-note");
    if (!place) return;
    place.textContent = text;
    place.classList.toggle("bad", Boolean(isBad));
    clearTimeout(say.timer);
    say.timer = setTimeout(() => (place.textContent = ""), isBad ? 20000 : 8000);
  }

  async function about() {
    if (session === null) {
      const reply = await fetch("/api/v1/session", { cache: "no-store" });
      if (reply.status === 401) window.location.reload();
      if (!reply.ok) throw new Error(`the dashboard answered ${reply.status}`);
      session = await reply.json();
      show();
    }
    return session;
  }

  function show() {
    document.body.dataset.role = session.role;
    const who = document.getElementById("who");
    if (!who) return;
    who.textContent = session.login ? `${session.person} (${session.role})` : session.person;
    if (session.login && !document.getElementById("sign-out")) {
      const out = document.createElement("button");
      out.id = "sign-out";
      out.className = "plain";
      out.textContent = "Sign out";
      out.addEventListener("click", signOut);
      who.after(out);
    }
  }

  async function signOut() {
    const { csrf } = await about();
    await fetch("/logout", { method: "POST", headers: { "X-CSRF-Token": csrf } });
    window.location.assign("/login");
  }

  async function send(wish, isAgain) {
    const { csrf } = await about();
    const reply = await fetch("/api/v1/requests", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
      body: JSON.stringify(wish),
    });
    const answer = await reply.json().catch(() => ({}));
    if (reply.status === 403 && answer.code === "csrf" && !isAgain) {
      session = null; // the dashboard was restarted with another key
      return send(wish, true);
    }
    if (!reply.ok) throw new Error(answer.error || `the dashboard answered ${reply.status}`);
    return answer;
  }

  async function ask(wish, shown) {
    try {
      say("…");
      // The same wish keeps its number, however often it has to be sent.
      await send({ ...wish, nonce: nonce() });
      say(DONE[wish.ask](shown));
      own.pull();
    } catch (error) {
      say(`Not written: ${error.message}`, true);
    }
  }

  function wishOf(button) {
    const { ask: kind, text: _text, number: _number, ...rest } = button.dataset;
    delete rest.treeKey;
    const wish = { ask: kind, ...rest };
    if (wish.valueFrom) wish.value = document.getElementById(wish.valueFrom).value;
    delete wish.valueFrom;
    for (const name of ["scan", "value"]) if (name in wish) wish[name] = Number(wish[name]);
    if (!wish.experiment) {
      wish.experiment = document.getElementById("experiment-name").textContent;
    }
    return wish;
  }

  function field(id, label, input) {
    const place = document.createElement("label");
    place.htmlFor = id;
    place.textContent = label;
    input.id = id;
    place.append(input);
    return place;
  }

  function input(type, attributes) {
    const made = document.createElement(type);
    Object.assign(made, attributes);
    return made;
  }

  async function open(button) {
    const wish = wishOf(button);
    const about_it = DIALOGS[wish.ask];
    const known = await about();
    const dialog = document.createElement("dialog");
    dialog.id = "ask";
    dialog.setAttribute("aria-labelledby", "ask-title");
    const form = input("form", { method: "dialog" });
    const title = input("h2", { id: "ask-title", textContent: about_it.title });
    const text = input("p", { id: "ask-text", textContent: button.dataset.text || "" });
    const reason = input("textarea", { maxLength: 1000, rows: 2, required: Boolean(about_it.must) });
    form.append(title, text, field("reason", about_it.reason, reason));
    if (wish.ask === "arm") {
      const hours = input("input", { type: "number", min: 0.1, max: 12, step: 0.1, value: 8 });
      form.append(field("hours", "For how many hours (12 at most)", hours));
    }
    if (!known.login) {
      const name = input("input", { type: "text", maxLength: 64, autocomplete: "name" });
      name.value = window.localStorage.getItem("lithoscope-person") || "";
      form.append(field("person", `Your name (account ${known.person} is kept too)`, name));
    }
    const buttons = input("div", { className: "answers" });
    const yes = input("button", { id: "ask-confirm", type: "submit", value: "yes" });
    yes.textContent = about_it.verb;
    yes.className = wish.ask === "reject" ? "reject" : "approve";
    const no = input("button", { id: "ask-cancel", type: "button", textContent: "Cancel" });
    no.className = "reject";
    no.addEventListener("click", () => dialog.close());
    buttons.append(no, yes);
    form.append(buttons);
    dialog.append(form);
    form.addEventListener("submit", () => confirm(dialog, wish, button));
    dialog.addEventListener("close", () => dialog.remove());
    document.getElementById("ask-place").append(dialog);
    dialog.showModal();
    reason.focus();
  }

  function confirm(dialog, wish, button) {
    const value = (id) => dialog.querySelector(`#${id}`)?.value.trim();
    const whole = { ...wish, reason: value("reason") || "" };
    if (value("person")) {
      whole.name = value("person");
      window.localStorage.setItem("lithoscope-person", whole.name);
    }
    if (wish.ask === "arm") whole.duration_s = Number(value("hours")) * 3600;
    ask(whole, { ...button.dataset });
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-ask]");
    if (button) {
      event.preventDefault();
      if (button.dataset.ask in DIALOGS) {
        open(button).catch((error) => say(`Not possible: ${error.message}`, true));
      } else {
        ask(wishOf(button), { ...button.dataset });
      }
      return;
    }
    const link = event.target.closest("a[href]");
    const isPlain = !event.defaultPrevented && !event.metaKey && !event.ctrlKey && !event.shiftKey;
    if (!link || !isPlain || link.target || link.hasAttribute("download")) return;
    const address = link.getAttribute("href");
    if (address.startsWith("/") && !address.startsWith("/api/") && !address.startsWith("/login")) {
      event.preventDefault();
      own.go(address);
    }
  });

  Object.assign(own, { ask, send, nonce, session: about, say });
  document.addEventListener("lithoscope-page", () => about().then(show).catch(() => {}));
})();
