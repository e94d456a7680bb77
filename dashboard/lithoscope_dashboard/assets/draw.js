// Draws trees that the server sends (trees.py). A node that stays the same thing stays the same
// node: what is pressed, focused, selected or scrolled is not taken away by news.
(function () {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  let pressed = false;
  let held = [];

  function keyOf(node) {
    return node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.treeKey || "" : "";
  }

  function wantedKey(tree) {
    return typeof tree === "string" ? "" : (tree.a && tree.a.id) || tree.k || "";
  }

  function make(tree) {
    if (typeof tree === "string") return document.createTextNode(tree);
    const node = tree.s ? document.createElementNS(SVG, tree.t) : document.createElement(tree.t);
    if (tree.k) node.dataset.treeKey = tree.k;
    return node;
  }

  function fits(node, tree) {
    if (!node) return false;
    if (typeof tree === "string") return node.nodeType === Node.TEXT_NODE;
    return (
      node.nodeType === Node.ELEMENT_NODE &&
      node.nodeName.toLowerCase() === tree.t.toLowerCase() &&
      keyOf(node) === wantedKey(tree)
    );
  }

  function setAttribute(node, name, value) {
    if (name === "style") {
      for (const [key, each] of Object.entries(value || {})) {
        if (key.startsWith("--")) node.style.setProperty(key, each);
        else if (node.style[key] !== each) node.style[key] = each;
      }
    } else if (value === null || value === false) {
      node.removeAttribute(name);
    } else {
      const text = value === true ? "" : value;
      if (node.getAttribute(name) !== text) node.setAttribute(name, text);
    }
  }

  function setAttributes(node, wanted) {
    for (const [name, value] of Object.entries(wanted)) setAttribute(node, name, value);
  }

  function update(node, tree) {
    if (typeof tree === "string") {
      if (node.data !== tree) node.data = tree;
      return;
    }
    const wanted = tree.a || {};
    for (const each of Array.from(node.attributes)) {
      // What the browser or the page itself has set is not the server's.
      const isOwn = each.name === "open" || each.name === "data-tree-key" || each.name === "style";
      if (!isOwn && !(each.name in wanted)) node.removeAttribute(each.name);
    }
    setAttributes(node, wanted);
    children(node, tree.c || []);
  }

  function children(parent, trees) {
    const keyed = new Map();
    const wanted = new Set(trees.map(wantedKey));
    for (const node of Array.from(parent.childNodes)) {
      const key = keyOf(node);
      if (key && wanted.has(key)) keyed.set(key, node);
      else if (key) node.remove();
    }
    let cursor = parent.firstChild;
    for (const tree of trees) {
      const key = wantedKey(tree);
      let node = key ? keyed.get(key) : cursor;
      if (!fits(node, tree)) node = make(tree);
      if (node === cursor) cursor = cursor.nextSibling;
      else parent.insertBefore(node, cursor);
      update(node, tree);
    }
    while (cursor) {
      const next = cursor.nextSibling;
      cursor.remove();
      cursor = next;
    }
  }

  function apply(parts) {
    for (const [id, part] of Object.entries(parts)) {
      if (part.d) {
        window.dash_clientside.set_props(id, part.d);
        continue;
      }
      const node = document.getElementById(id);
      if (!node) continue;
      setAttributes(node, part.a || {});
      if (part.c) children(node, part.c);
    }
    document.dispatchEvent(new CustomEvent("lithoscope-drawn", { detail: Object.keys(parts) }));
  }

  // While a button or a pointer is down nothing moves: what is let go is what was pressed.
  function draw(parts) {
    if (pressed) held.push(parts);
    else apply(parts);
  }

  function release() {
    // After the click that follows on letting go.
    setTimeout(() => {
      pressed = false;
      const late = held;
      held = [];
      late.forEach(apply);
    }, 0);
  }

  window.addEventListener("pointerdown", () => (pressed = true), true);
  for (const name of ["pointerup", "pointercancel", "blur"]) {
    window.addEventListener(name, release, true);
  }

  window.lithoscope = Object.assign(window.lithoscope || {}, { draw, drawChildren: children });
})();
