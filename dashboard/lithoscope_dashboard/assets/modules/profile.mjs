// The values of a map along a line, as a drawing.

import { drawing, numberText } from "./dom.mjs";

const WIDTH = 400;
const HEIGHT = 170;
const EDGE = { left: 52, right: 8, top: 10, bottom: 22 };

export function drawProfile(svg, found, unit) {
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  const values = found.values.filter((each) => each !== null);
  if (!values.length) {
    svg.replaceChildren(drawing("text", { x: WIDTH / 2, y: HEIGHT / 2, "text-anchor": "middle" },
      "nothing measured along this line"));
    return;
  }
  const low = Math.min(...values);
  const high = Math.max(...values);
  const span = high - low || 1;
  const end = found.distance_um[found.distance_um.length - 1] || 1;
  const toX = (um) => EDGE.left + (um / end) * (WIDTH - EDGE.left - EDGE.right);
  const toY = (value) =>
    HEIGHT - EDGE.bottom - ((value - low) / span) * (HEIGHT - EDGE.top - EDGE.bottom);
  const parts = [
    line(EDGE.left, HEIGHT - EDGE.bottom, WIDTH - EDGE.right, HEIGHT - EDGE.bottom, "axis"),
    line(EDGE.left, EDGE.top, EDGE.left, HEIGHT - EDGE.bottom, "axis"),
  ];
  if (low < 0 && high > 0) parts.push(line(EDGE.left, toY(0), WIDTH - EDGE.right, toY(0), "zero"));
  let run = [];
  const flush = () => {
    if (run.length) parts.push(drawing("polyline", { points: run.join(" "), class: "profile-line" }));
    run = [];
  };
  found.values.forEach((value, i) => {
    if (value === null) flush();
    else run.push(`${toX(found.distance_um[i]).toFixed(1)},${toY(value).toFixed(1)}`);
  });
  flush();
  parts.push(
    text(EDGE.left - 5, EDGE.top + 8, `${numberText(high, 3)}`, "end"),
    text(EDGE.left - 5, HEIGHT - EDGE.bottom, `${numberText(low, 3)}`, "end"),
    text(EDGE.left - 5, HEIGHT / 2, unit, "end"),
    text(EDGE.left, HEIGHT - 6, "A", "start"),
    text(WIDTH - EDGE.right, HEIGHT - 6, `B  ${numberText(end, 3)} µm`, "end"),
  );
  svg.replaceChildren(...parts);
}

function line(x1, y1, x2, y2, kind) {
  return drawing("line", { x1, y1, x2, y2, class: kind });
}

function text(x, y, content, anchor) {
  return drawing("text", { x, y, "text-anchor": anchor }, content);
}
