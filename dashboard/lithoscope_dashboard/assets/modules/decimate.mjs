// Fewer triangles by joining the vertices of a cell of a grid (Rossignac and Borrel, 1993): coarse,
// but quick enough to be done in the browser, and seen only while a surface moves.

export function decimate(position, indices, wanted) {
  let cells = Math.max(8, Math.round(Math.sqrt(wanted / 3)));
  let found = joined(position, indices, cells);
  for (let round = 0; round < 4 && found.indices.length / 3 > wanted; round++) {
    cells = Math.max(4, Math.floor(cells * Math.sqrt((0.9 * wanted) / (found.indices.length / 3))));
    found = joined(position, indices, cells);
  }
  return found;
}

function joined(position, indices, cells) {
  const low = [Infinity, Infinity, Infinity];
  const high = [-Infinity, -Infinity, -Infinity];
  for (let i = 0; i < position.count; i++) {
    const place = [position.getX(i), position.getY(i), position.getZ(i)];
    for (let axis = 0; axis < 3; axis++) {
      low[axis] = Math.min(low[axis], place[axis]);
      high[axis] = Math.max(high[axis], place[axis]);
    }
  }
  const edge = Math.max(...high.map((each, axis) => each - low[axis])) / cells || 1;
  const across = high.map((each, axis) => Math.floor((each - low[axis]) / edge) + 1);
  const numberOf = new Map();
  const sums = [];
  const renamed = new Uint32Array(position.count);
  for (let i = 0; i < position.count; i++) {
    const [x, y, z] = [position.getX(i), position.getY(i), position.getZ(i)];
    const cell = Math.floor((x - low[0]) / edge) + across[0] *
      (Math.floor((y - low[1]) / edge) + across[1] * Math.floor((z - low[2]) / edge));
    let number = numberOf.get(cell);
    if (number === undefined) {
      number = numberOf.size;
      numberOf.set(cell, number);
      sums.push([0, 0, 0, 0]);
    }
    const sum = sums[number];
    sum[0] += x;
    sum[1] += y;
    sum[2] += z;
    sum[3] += 1;
    renamed[i] = number;
  }
  return { positions: means(sums), indices: kept(indices, renamed) };
}

function means(sums) {
  const positions = new Float32Array(3 * sums.length);
  sums.forEach((sum, i) => {
    for (let axis = 0; axis < 3; axis++) positions[3 * i + axis] = sum[axis] / sum[3];
  });
  return positions;
}

// Triangles that still have three corners.
function kept(indices, renamed) {
  const found = new Uint32Array(indices.length);
  let count = 0;
  for (let i = 0; i < indices.length; i += 3) {
    const [a, b, c] = [renamed[indices[i]], renamed[indices[i + 1]], renamed[indices[i + 2]]];
    if (a === b || b === c || c === a) continue;
    found.set([a, b, c], count);
    count += 3;
  }
  return found.slice(0, count);
}
