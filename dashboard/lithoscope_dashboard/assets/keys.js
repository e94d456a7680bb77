// Dark and light, and the keys of the shell: numbers open pages, T changes the theme, ? explains.
(function () {
  "use strict";

  const KEPT = "lithoscope-theme";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function theme() {
    const chosen = window.localStorage.getItem(KEPT);
    return chosen === "dark" || chosen === "light" ? chosen : dark.matches ? "dark" : "light";
  }

  function wear() {
    document.documentElement.dataset.theme = theme();
    document.dispatchEvent(new CustomEvent("lithoscope-theme", { detail: theme() }));
  }

  function change() {
    window.localStorage.setItem(KEPT, theme() === "dark" ? "light" : "dark");
    wear();
  }

  dark.addEventListener("change", wear);
  wear();
  document.addEventListener("lithoscope-page", wear);
  document.addEventListener("click", (event) => {
    if (event.target.closest("#theme")) change();
  });

  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, textarea, select, [contenteditable], dialog");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "t") change();
    const link = document.querySelector(`#bar a[data-key="${CSS.escape(event.key)}"]`);
    if (link) link.click();
  });
})();
