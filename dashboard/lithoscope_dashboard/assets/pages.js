// Brings the page that is open to life: loads its module, hands it what the server says, ends it.
// The module's name stands in data-module of an element, what it shows in data-source.
(function () {
  "use strict";

  let open = null; // { place, page, source }

  async function mount(place) {
    const opening = (open = { place, page: null, source: null });
    const module = await import(`/assets/modules/${place.dataset.module}.mjs`);
    if (open !== opening) return;
    opening.page = module.mount(place);
    tell();
  }

  function close() {
    if (open && open.page) open.page.close();
    open = null;
  }

  function tell() {
    if (!open || !open.page) return;
    const source = open.place.dataset.source || "";
    if (!source || source === open.source) return;
    open.source = source;
    open.page.update(JSON.parse(source));
  }

  function look() {
    const place = document.querySelector("#page-body [data-module]");
    if (open && open.place !== place) close();
    if (place && !open) mount(place);
    else tell();
  }

  document.addEventListener("lithoscope-page", look);
  document.addEventListener("lithoscope-drawn", look);
})();
