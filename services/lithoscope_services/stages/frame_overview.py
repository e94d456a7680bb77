"""One picture that lets a person check the frame of an experiment."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lithoscope_pipeline.faces import SIDES, FaceReference, PatchGrid, sample_profiles, smooth_map
from lithoscope_pipeline.geometry import FloatImage, Roi
from lithoscope_pipeline.reference_frame import ReferenceFrame
from lithoscope_pipeline.resample import VolumeSource, resample_region

Canvas = NDArray[np.uint8]

_EDGE = 560  # pixels of the panels
_GAP = 16
_TEXT_HEIGHT = 96
_MAP_HEIGHT = 150
_BACKGROUND = (24, 24, 28)
_INK = (235, 235, 235)
_PLANE = (240, 228, 66)  # Okabe and Ito, as everywhere
_OUTER = (86, 180, 233)
_REGION = (230, 159, 0)
_SIDE_COLUMNS = 16
_SIDE_LINES = 96
_COLOUR_RANGE_PX = 1.0


def frame_overview(source: VolumeSource, frame: ReferenceFrame) -> bytes:
    """Draw slices of the first scan in its frame, with planes, region and faces.

    Parameters
    ----------
    source
        First scan, axes (z, y, x); a slice and a few columns are read.
    frame
        Its frame, resolved.

    Returns
    -------
    bytes
        A PNG file: a slice (x to the right, y up), a section along the rotation axis (z to the
        right, y up), and how far each outer face deviates from flat (x to the right, z up).
    """
    n_z, n_y, n_x = source.shape
    middle = (frame.roi.z0 + frame.roi.z1) // 2
    plane = Roi(z0=middle, z1=middle + 1, y0=0, y1=n_y, x0=0, x1=n_x)
    cross = resample_region(source, frame.transform, roi=plane).volume[0]
    side = _side_view(source, frame)
    window = np.percentile(cross[:, frame.roi.x0 : frame.roi.x1], (1, 99))

    width, height = 2 * _EDGE + 3 * _GAP, _EDGE + _TEXT_HEIGHT + _MAP_HEIGHT + 4 * _GAP
    picture = Image.new("RGB", (width, height), _BACKGROUND)
    top = _TEXT_HEIGHT + _GAP
    for left, image, extent in (
        (_GAP, cross, (frame.roi.x0 / n_x, frame.roi.x1 / n_x)),
        (2 * _GAP + _EDGE, side, (frame.roi.z0 / n_z, frame.roi.z1 / n_z)),
    ):
        picture.paste(_panel(image, window), (left, top))
        _mark(ImageDraw.Draw(picture), frame, n_y, extent, (left, top))
    if frame.faces is not None:
        _paste_maps(picture, frame.faces, top + _EDGE + _GAP)
    _write(ImageDraw.Draw(picture), frame)
    out = io.BytesIO()
    picture.save(out, format="PNG", optimize=True)
    return out.getvalue()


def _side_view(source: VolumeSource, frame: ReferenceFrame) -> FloatImage:
    """Section (y, z) through the middle, a few columns averaged."""
    n_z, n_y, n_x = source.shape
    lines = np.linspace(0, n_z - 1, min(n_z, _SIDE_LINES)).round().astype(int)
    grid = PatchGrid(
        z0_px=tuple(int(z) for z in lines),
        n_rows=1,
        x0_px=max((n_x - _SIDE_COLUMNS) // 2, 0),
        n_x=1,
        n_columns=min(_SIDE_COLUMNS, n_x),
    )
    return sample_profiles(source, frame.transform, grid, y0=0, y1=n_y)[:, 0].T


def _panel(image: FloatImage, window: NDArray[np.floating]) -> Image.Image:
    """Grey picture with y up."""
    low, high = float(window[0]), float(window[1])
    grey = np.clip((image - low) / max(high - low, 1e-12) * 255.0, 0, 255).astype(np.uint8)
    return Image.fromarray(grey[::-1]).resize((_EDGE, _EDGE), Image.Resampling.BILINEAR)


def _mark(
    draw: ImageDraw.ImageDraw,
    frame: ReferenceFrame,
    n_y: int,
    extent: tuple[float, float],
    corner: tuple[int, int],
) -> None:
    """Draw the planes and the region; pixel centres are integers from 0."""
    left, top = corner

    def row(y_px: float) -> float:
        return top + _EDGE * (1.0 - (y_px + 0.5) / n_y)

    for number, y_px in enumerate(frame.planes_px):
        colour = _OUTER if number in (1, 4) else _PLANE
        draw.line((left, row(y_px), left + _EDGE, row(y_px)), fill=colour)
    first, last = (left + _EDGE * share for share in extent)
    box = (first, row(frame.roi.y1 - 0.5), last, row(frame.roi.y0 - 0.5))
    draw.rectangle(box, outline=_REGION, width=2)


def _paste_maps(picture: Image.Image, faces: FaceReference, top: int) -> None:
    """Paste the deviation of both outer faces from their mean: blue below, orange above."""
    draw = ImageDraw.Draw(picture)
    left = _GAP
    for name, side in ((name, faces.side(name)) for name in SIDES):
        smooth = smooth_map(side.face_px, side.weights)
        off = np.clip((smooth.values - smooth.values.mean()) / _COLOUR_RANGE_PX, -1.0, 1.0)
        colours = _diverging(off)
        colours[side.weights == 0] = (90, 90, 90)
        image = Image.fromarray(colours[::-1]).resize(
            (_EDGE, _MAP_HEIGHT), Image.Resampling.NEAREST
        )
        picture.paste(image, (left, top))
        text = (
            f"{name} side, outer face: -{_COLOUR_RANGE_PX:g} (blue) to +{_COLOUR_RANGE_PX:g} "
            "voxel (orange); grey: not found"
        )
        draw.text((left, top + _MAP_HEIGHT + 4), text, fill=_INK, font=_font(13))
        left += _EDGE + _GAP


def _diverging(values: NDArray[np.floating]) -> Canvas:
    """Colours of values from -1 to 1."""
    share = np.abs(values)[..., None]
    ends = np.where((values < 0)[..., None], (0, 114, 178), (230, 159, 0))
    return np.asarray(245 * (1 - share) + ends * share, np.uint8)


def _write(draw: ImageDraw.ImageDraw, frame: ReferenceFrame) -> None:
    about_z, _, about_x = frame.transform.rotation_deg
    roi = frame.roi
    lines = (
        f"Reference frame: {frame.verdict}"
        + (f" ({', '.join(frame.flags)})" if frame.flags else ""),
        f"levelled by {about_z:+.3f}° about z (edge-on angle {frame.edge_on_change_deg:+.3f}°) "
        f"and {about_x:+.3f}° about x",
        f"region z {roi.z0} to {roi.z1 - 1}, y {roi.y0} to {roi.y1 - 1}, "
        f"x {roi.x0} to {roi.x1 - 1}; margin {frame.margin_px[0]:.0f} and "
        f"{frame.margin_px[1]:.0f} voxels",
        "left: slice, y up; right: along the rotation axis, z to the right. Blue: outer faces of "
        "the electrodes, yellow: other planes, orange: region",
    )
    for number, line in enumerate(lines):
        draw.text((_GAP, 10 + 24 * number), line, fill=_INK, font=_font(16))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
