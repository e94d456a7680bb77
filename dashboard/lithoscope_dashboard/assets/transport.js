// News from the server: a snapshot of the page, then numbered changes. Newest wins; what was missed
// shows by its number and is asked for again. A page without news says since when.
(function () {
  "use strict";

  const SILENT_MS = 5000; // then the page says that it is old
  const PULL_MS = 2500; // without news for so long, it asks by itself
  const own = (window.lithoscope = window.lithoscope || {});
  let view = "";
  let epoch = "";
  let sequence = 0;
  let heard = Date.now();
  let pulling = false;
  let waiting = [];

  function address() {
    return window.location.pathname + window.location.search;
  }

  function isMounted() {
    const page = document.querySelector("#page-body [data-page-path]");
    return page !== null && page.dataset.pagePath === normal(window.location.pathname);
  }

  function normal(path) {
    return path.replace(/\/+$/, "") || "/";
  }

  function begin() {
    view = address();
    epoch = "";
    sequence = 0;
    waiting = [];
  }

  // Dash keeps all that was ever set, for an undo that these pages do not have: in a night that
  // would be a gigabyte.
  function forgetPast() {
    for (const store of window.dash_stores || []) store.getState().history.past.length = 0;
  }

  function receive(message) {
    forgetPast();
    if (!message || message.view !== address()) return;
    if (message.view !== view) begin();
    heard = Date.now();
    note("view-note", message.error || "");
    mark(message);
    if (message.error) return;
    const isSnapshot = message.base === 0;
    if (!isSnapshot && (message.epoch !== epoch || message.base > sequence)) {
      pull(); // something before it never came
      return;
    }
    if (message.epoch === epoch && message.sequence <= sequence) return;
    epoch = message.epoch;
    sequence = message.sequence;
    if (isMounted()) own.draw(message.parts);
    else waiting.push(message.parts);
  }

  function mark(message) {
    const beat = document.getElementById("beat");
    if (beat) beat.textContent = String(Date.now());
    const place = document.getElementById("sequence");
    if (place) place.textContent = `${message.epoch}:${message.sequence}`;
  }

  async function pull() {
    if (pulling) return; // never a second one while the first is under way
    pulling = true;
    const wanted = address();
    try {
      const reply = await fetch(`/api/v1/view?at=${encodeURIComponent(wanted)}`, {
        cache: "no-store",
        signal: AbortSignal.timeout(10000),
      });
      if (reply.status === 401) window.location.reload();
      if (reply.ok) receive(await reply.json());
    } catch {
      // The server is away: the watch below says so.
    } finally {
      pulling = false;
    }
    if (wanted !== address()) pull();
  }

  function note(id, text) {
    const place = document.getElementById(id);
    if (place && place.textContent !== text) place.textContent = text;
  }

  function watch() {
    if (address() !== view) begin();
    const silent_ms = Date.now() - heard;
    if (silent_ms > PULL_MS) pull();
    const isSilent = silent_ms > SILENT_MS;
    document.body.classList.toggle("silent", isSilent);
    const since = new Date(heard).toLocaleTimeString("en-GB");
    note("stale-note", isSilent ? `No news from the dashboard since ${since}: this page is old` : "");
  }

  // A page that has just been put up is drawn at once.
  function mounted() {
    if (!isMounted()) return;
    document.body.dataset.page = normal(window.location.pathname);
    const late = waiting;
    waiting = [];
    if (address() !== view) begin();
    late.forEach((parts) => own.draw(parts));
    if (sequence === 0) pull();
    for (const link of document.querySelectorAll("a[data-page]")) {
      const isHere = link.dataset.page === normal(window.location.pathname);
      if (isHere) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.dispatchEvent(new CustomEvent("lithoscope-page"));
  }

  function start() {
    const body = document.getElementById("page-body");
    if (!body) {
      setTimeout(start, 20); // Dash has not drawn the page yet
      return;
    }
    new MutationObserver(mounted).observe(body, { childList: true, subtree: true });
    mounted();
    setInterval(watch, 500);
  }

  // Without a reload: the bar, and every link to a page of ours. The experiment stays the same, but
  // for an address that ends in a question mark: that is the one that runs.
  function go(path) {
    const [pathname, query] = path.split("?");
    const shown = new URLSearchParams(window.location.search).get("experiment");
    const wanted = new URLSearchParams(query || "");
    if (shown && query !== "" && !wanted.has("experiment")) wanted.set("experiment", shown);
    const search = wanted.size ? `?${wanted}` : "";
    window.dash_clientside.set_props("url", { pathname, search, hash: "" });
  }

  Object.assign(own, { receive, pull, go });
  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    lithoscope: Object.assign({}, (window.dash_clientside || {}).lithoscope, { receive }),
  });
  start();
})();
