// Small tools for elements: made of names and texts, never of markup.

const SVG = "http://www.w3.org/2000/svg";

export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function drawing(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((each) => each !== null && each !== undefined));
  return node;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// A length of 1, 2 or 5 times a power of ten that is not longer than a limit.
export function roundLength(limit) {
  const power = Math.pow(10, Math.floor(Math.log10(limit)));
  return [5, 2, 1].find((each) => each * power <= limit) * power;
}

export function numberText(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(digits - 1).replace("e+", "e");
  return String(Number(value.toPrecision(digits)));
}

// Units as people write them.
export function unitText(unit) {
  return (unit || "").replace("um3", "µm³").replace("um2", "µm²").replace("um", "µm")
    .replace("cm2", "cm²").replace("cm-2", "cm⁻²").replace(/^1$/, "");
}

export function isTyping(target) {
  return target instanceof Element && target.closest("input, textarea, select, [role=combobox]");
}
