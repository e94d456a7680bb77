"""Draw what lithium does in the simulated cell: a slice without noise above its true labels.

Dendrites of the rows before and behind the slice are drawn darker.

``python docs/make_lithium.py docs/pictures/lithium.png``
"""

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lithoscope_pipeline.geometry import Roi, field_axis_px
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.phantom import (
    SIZES,
    CellParameters,
    FamilyName,
    GrowthParameters,
    SimulatedCell,
    make_cell,
)
from lithoscope_pipeline.phantom.materials import Material
from lithoscope_pipeline.phantom.region import cell_half_width_um
from lithoscope_pipeline.phantom.texture_slices import texture_slices
from lithoscope_pipeline.phantom.view import View

ROWS, COLUMNS = 128, 520
SHOWN = 300
DEPTH = 28  # rows before and behind, whose dendrites are drawn too
BEHIND = (150, 74, 50)
PARTS = 16  # of a voxel, in which flat layers are drawn
COLOURS = {
    Label.BACKGROUND: (24, 26, 30),
    Label.STRIPPING_ELECTRODE: (120, 124, 134),
    Label.PLATING_ELECTRODE: (86, 124, 168),
    Label.DEPOSITED: (236, 208, 88),
    Label.REDEPOSITED: (96, 186, 116),
    Label.DENDRITE: (226, 84, 40),
    Label.PIT: (214, 60, 200),
    Label.ELECTROLYTE: (46, 48, 54),
    Label.VOID: (250, 250, 250),
}
INK, PAPER = (30, 34, 40), (255, 255, 255)
MARGIN = 16


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One picture: which cell, which scan of 25, and what it shows."""

    title: str
    scan: int
    family: FamilyName = "default"
    growth: GrowthParameters = field(default_factory=GrowthParameters)


PANELS = (
    Panel(title="charged", scan=12),
    Panel(title="half discharged", scan=18),
    Panel(title="discharged", scan=24),
    Panel(
        title="bridge inside",
        scan=12,
        growth=GrowthParameters(bridge="inside", bridge_pulse=10.0),
    ),
    Panel(title="family mossy", scan=12, family="mossy"),
    Panel(title="family filaments", scan=12, family="filaments"),
)


def main() -> None:
    """Draw the picture."""
    tiles = [draw_panel(panel) for panel in PANELS]
    width = sum(tile.width + MARGIN for tile in tiles) + MARGIN
    sheet = Image.new("RGB", (width, tiles[0].height + 2 * MARGIN + 24), PAPER)
    draw = ImageDraw.Draw(sheet)
    x = MARGIN
    for panel, tile in zip(PANELS, tiles, strict=True):
        sheet.paste(tile, (x, MARGIN + 24))
        draw.text((x, MARGIN - 4), panel.title, INK, font=ImageFont.load_default(17))
        x += tile.width + MARGIN
    sheet.save(Path(sys.argv[1]))


def draw_panel(panel: Panel) -> Image.Image:
    """Draw the row in which the tallest dendrite stands, the object above its labels."""
    detector = replace(SIZES["medium"], n_rows=ROWS, n_columns=COLUMNS)
    cell = CellParameters(seed=0, growth=panel.growth)
    simulated = make_cell(
        "medium", seed=3, n_scans=25, cell=cell, detector=detector, family=panel.family
    )
    whole = Roi(z0=0, z1=ROWS, y0=0, y1=COLUMNS, x0=0, x1=COLUMNS)
    labels = simulated.labels(panel.scan, whole)
    is_high = labels[:, : COLUMNS // 2 + 40] == Label.DENDRITE
    row = int(is_high.sum(axis=(1, 2)).argmax()) if is_high.any() else ROWS // 2
    box = labels[row] != Label.BACKGROUND
    rows = np.flatnonzero(box.any(axis=1))
    first = (COLUMNS - SHOWN) // 2
    part = slice(int(rows[0]) - 6, int(rows[-1]) + 7), slice(first, first + SHOWN)
    colours = np.array([COLOURS[Label(i)] for i in range(len(Label))], np.uint8)
    grey = np.clip(255 * (attenuation(simulated, panel.scan, row) + 0.02) / 0.5, 0, 255)
    shown = np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    painted = colours[labels[row]]
    near = labels[max(0, row - DEPTH) : row + DEPTH + 1] == Label.DENDRITE
    painted[near.any(axis=0) & (labels[row] == Label.ELECTROLYTE)] = BEHIND
    pair = np.concatenate([shown[part][::-1], painted[part][::-1]])
    return Image.fromarray(pair)


def attenuation(simulated: SimulatedCell, scan: int, row: int) -> NDArray[np.float32]:
    """Return a slice of the object, 1/cm, shape (n_y, n_x), in voxels."""
    view = View(
        n_columns=COLUMNS,
        rotation_axis_px=field_axis_px(COLUMNS),
        thetas_rad=np.zeros(1),
        exposure_rad=0.0,
        drift=simulated.drift(0),
    )
    texture = texture_slices(
        simulated.growth,
        simulated.state(scan),
        view,
        np.array([row - field_axis_px(ROWS)]),
        voxel_um=simulated.voxel_um,
        half_width_um=cell_half_width_um(simulated.cell, simulated.detector),
    )[0].real
    n_y, n_x = (n // 2 for n in texture.shape)
    binned = texture[: 2 * n_y, : 2 * n_x].reshape(n_y, 2, n_x, 2).mean(axis=(1, 3))
    planes, optics = simulated.planes(scan), simulated.cell.optics
    inside = (
        (planes.pouch_low_um, Material.POUCH_POLYMER),
        (planes.outer_low_um, Material.LITHIUM),
        (planes.stripping_surface_um, Material.POLYMER),
        (planes.plated_surface_um, Material.LITHIUM),
        (planes.outer_high_um, Material.POUCH_POLYMER),
        (planes.pouch_high_um, Material.VOID),
    )
    y0, x0 = (COLUMNS - n_y) // 2, (n_x - COLUMNS) // 2
    # Two samples make a voxel; the rotation axis lies on the first of the middle two.
    begin_px = 0.25 - n_y / 2 - y0 - 0.5
    parts_px = (np.arange(COLUMNS * PARTS) + 0.5) / PARTS + begin_px
    places = np.searchsorted([place_um for place_um, _ in inside], parts_px * simulated.voxel_um)
    constants = np.array([0.0, *(optics.of(material).real for _, material in inside)])
    flat = constants[places].reshape(COLUMNS, PARTS).mean(axis=1)
    out = np.repeat(flat[:, None], COLUMNS, axis=1).astype(np.float32)
    out[max(y0, 0) : y0 + n_y] += binned[max(-y0, 0) :, x0 : x0 + COLUMNS]
    return out


if __name__ == "__main__":
    main()
