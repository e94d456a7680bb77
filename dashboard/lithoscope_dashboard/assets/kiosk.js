// A screen that nobody touches: says whether it shows a replay, and loads itself anew when the
// dashboard behind it is another one. It asks ever more rarely while nobody answers, and leaves a
// page only for one that is there.
(function () {
  "use strict";

  const FIRST_MS = 5000;
  const LONGEST_MS = 300000;
  let wait_ms = FIRST_MS;
  let began = "";

  function isKiosk() {
    return document.body.dataset.page === "/kiosk";
  }

  async function look() {
    let next_ms = FIRST_MS;
    if (isKiosk()) {
      const now = (document.getElementById("sequence")?.textContent || "").split(":")[0];
      began = began || now;
      if (document.body.classList.contains("silent")) {
        wait_ms = Math.min(2 * wait_ms, LONGEST_MS);
        next_ms = wait_ms;
        const answers = await fetch("/api/v1/health", { cache: "no-store" }).then(
          (reply) => reply.ok,
          () => false,
        );
        if (answers) window.location.reload();
      } else {
        wait_ms = FIRST_MS;
        // Another process may be another version.
        if (began && now && began !== now) window.location.reload();
      }
    }
    setTimeout(look, next_ms);
  }

  document.addEventListener("lithoscope-drawn", () => {
    const state = document.getElementById("live-state");
    if (state) document.body.dataset.live = state.textContent.toLowerCase();
  });
  setTimeout(look, FIRST_MS);
})();
