// The choices of the page of metrics; the figure is drawn by the server from what is chosen.

import { element, setText } from "./dom.mjs";

const AGAINST = { passed: "charge passed", net: "net charge", time: "time", pulse: "pulse" };

export function mount(place) {
  const wish = JSON.parse(place.dataset.wish);
  const root = document.getElementById("metrics-choices");
  const metrics = chooser("Metrics", "metric", wish.names, tell);
  const beside = chooser("Beside", "beside", wish.beside, tell);
  const against = element("fieldset", { class: "choice" },
    element("legend", { class: "hidden-legend" }, "Against"),
    ...Object.entries(AGAINST).map(([value, name]) => {
      const radio = element("input", { type: "radio", name: "against", value,
        checked: value === wish.against });
      radio.addEventListener("change", () => {
        wish.against = value;
        tell();
      });
      return element("label", {}, radio, name);
    }));
  const smooth = element("input", { type: "checkbox", id: "smooth", checked: wish.smooth });
  smooth.addEventListener("change", () => {
    wish.smooth = smooth.checked;
    tell();
  });
  root.append(metrics.node, beside.node, against,
    element("label", { class: "field small", title: "Lines through the median of three scans; "
      + "points, bands, the table and the CSV stay as measured" }, smooth, "median of 3"));

  function tell() {
    window.dash_clientside.set_props("metrics-wish", { data: { ...wish } });
  }

  return {
    update(source) {
      metrics.fill(source.names);
      beside.fill(source.others);
      beside.node.hidden = source.others.length === 0;
    },
    close() {
      root.replaceChildren();
    },
  };
}

// A list of boxes that opens; chosen is changed in place.
function chooser(name, kind, chosen, changed) {
  const summary = element("summary", {});
  const list = element("div", { class: "chooser-list", role: "group", "aria-label": name });
  const node = element("details", { class: "chooser", id: `choose-${kind}` }, summary, list);
  let listed = "";

  function count() {
    setText(summary, `${name} (${chosen.length})`);
  }

  function box(each) {
    const field = element("input", { type: "checkbox", value: each, checked: chosen.includes(each) });
    field.addEventListener("change", () => {
      if (field.checked) chosen.push(each);
      else chosen.splice(chosen.indexOf(each), 1);
      count();
      changed();
    });
    return element("label", {}, field, each.replaceAll("_", " "));
  }

  count();
  return {
    node,
    fill(names) {
      if (String(names) === listed) return;
      listed = String(names);
      list.replaceChildren(...names.map(box));
      count();
    },
  };
}
