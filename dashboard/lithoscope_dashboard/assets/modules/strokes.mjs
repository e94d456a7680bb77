// Strokes on a plane of numbers: which pixels a brush covers, what differs, undo and redo.

export const UNPAINTED = 255;

// Paints all pixels whose centre lies within half a brush of the line between two centres; gives
// those that it changed. Whole numbers only, so that the same stroke is the same pixels everywhere.
export function stamp(numbers, rows, columns, from, to, brush, value, changed) {
  const reach = Math.ceil(brush / 2);
  const [dr, dc] = [to[0] - from[0], to[1] - from[1]];
  const length2 = dr * dr + dc * dc;
  const first = Math.max(0, Math.min(from[0], to[0]) - reach);
  const last = Math.min(rows - 1, Math.max(from[0], to[0]) + reach);
  const left = Math.max(0, Math.min(from[1], to[1]) - reach);
  const right = Math.min(columns - 1, Math.max(from[1], to[1]) + reach);
  for (let row = first; row <= last; row++) {
    for (let column = left; column <= right; column++) {
      const [pr, pc] = [row - from[0], column - from[1]];
      const along = pr * dr + pc * dc;
      const across = pr * dc - pc * dr;
      const isNear =
        along <= 0
          ? 4 * (pr * pr + pc * pc) <= brush * brush
          : along >= length2
            ? 4 * ((row - to[0]) ** 2 + (column - to[1]) ** 2) <= brush * brush
            : 4 * across * across <= brush * brush * length2;
      const at = row * columns + column;
      if (!isNear || numbers[at] === value) continue;
      if (!changed.has(at)) changed.set(at, numbers[at]);
      numbers[at] = value;
    }
  }
}

// Runs of pixels that differ: first pixel, pixels, number; at most so many.
export function differences(before, now, limit) {
  const runs = [];
  for (let at = 0; at < now.length; at++) {
    if (now[at] === before[at]) continue;
    const last = runs[runs.length - 1];
    if (last && last[0] + last[1] === at && last[2] === now[at]) last[1]++;
    else if (runs.length === limit) return runs;
    else runs.push([at, 1, now[at]]);
  }
  return runs;
}

export function apply(runs, numbers) {
  for (const [first, count, value] of runs) numbers.fill(value, first, first + count);
}

// What was done, on whichever plane, so that it can be undone and done again.
export class History {
  constructor() {
    this.done = [];
    this.undone = [];
  }

  // changed: numbers before, by pixel
  push(plane, changed) {
    if (!changed.size) return;
    const places = [...changed.keys()];
    const after = places.map((at) => plane.now[at]);
    this.done.push({ plane, places, before: [...changed.values()], after });
    this.undone = [];
  }

  undo() {
    return this.move(this.done, this.undone, "before");
  }

  redo() {
    return this.move(this.undone, this.done, "after");
  }

  move(from, to, which) {
    const step = from.pop();
    if (!step) return null;
    step.places.forEach((at, i) => (step.plane.now[at] = step[which][i]));
    to.push(step);
    return step.plane;
  }
}
