// Where a canvas looks at a picture: fitted, zoomed about a point, moved. Lengths of the picture
// are voxels (or pixels of a map); those of the canvas are CSS pixels.

const FARTHEST = 32; // CSS pixels a voxel

export class Sight {
  constructor() {
    this.rows = 1;
    this.columns = 1;
    this.width = 1;
    this.height = 1;
    this.zoom = 1; // 1: the whole picture fits
    this.row = 0.5; // of the picture, in the middle of the canvas
    this.column = 0.5;
  }

  setPicture(rows, columns) {
    if (rows === this.rows && columns === this.columns) return;
    Object.assign(this, { rows, columns });
    this.reset();
  }

  setCanvas(width, height) {
    Object.assign(this, { width: Math.max(1, width), height: Math.max(1, height) });
    this.keepInside();
  }

  get fitted() {
    return Math.min(this.width / this.columns, this.height / this.rows);
  }

  get scale() {
    return this.fitted * this.zoom;
  }

  get isWhole() {
    return this.zoom <= 1;
  }

  reset() {
    this.zoom = 1;
    this.row = this.rows / 2;
    this.column = this.columns / 2;
  }

  toCanvas(row, column) {
    return [
      (column - this.column) * this.scale + this.width / 2,
      (row - this.row) * this.scale + this.height / 2,
    ];
  }

  toPicture(x, y) {
    return [
      (y - this.height / 2) / this.scale + this.row,
      (x - this.width / 2) / this.scale + this.column,
    ];
  }

  zoomAt(x, y, factor) {
    const [row, column] = this.toPicture(x, y);
    const farthest = Math.max(1, FARTHEST / this.fitted);
    this.zoom = Math.min(farthest, Math.max(1, this.zoom * factor));
    const [newRow, newColumn] = this.toPicture(x, y);
    this.row += row - newRow;
    this.column += column - newColumn;
    this.keepInside();
  }

  move(x, y) {
    this.row -= y / this.scale;
    this.column -= x / this.scale;
    this.keepInside();
  }

  keepInside() {
    const halfRows = Math.min(this.rows / 2, this.height / this.scale / 2);
    const halfColumns = Math.min(this.columns / 2, this.width / this.scale / 2);
    this.row = Math.min(this.rows - halfRows, Math.max(halfRows, this.row));
    this.column = Math.min(this.columns - halfColumns, Math.max(halfColumns, this.column));
  }

  // What of the picture is seen, on a coarse grid, so that a small move asks for nothing new.
  seen(grid) {
    const [top, left] = this.toPicture(0, 0);
    const [bottom, right] = this.toPicture(this.width, this.height);
    const down = (value) => Math.max(0, Math.floor(value / grid) * grid);
    const up = (value, end) => Math.min(end, Math.ceil(value / grid) * grid);
    return [down(top), down(left), up(bottom, this.rows), up(right, this.columns)];
  }
}
