"""Maps of a few scans side by side, each with one range of values for all of them."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lithoscope_messages import MetricsReady
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.pages.html import picture
from lithoscope_services.report.charts import shown_unit
from lithoscope_store import ExperimentPaths, Maps, NotStoredError, read_maps

_WIDTH: Final = 300
#: The maps of the page, those of the plane of the electrodes first.
_SHOWN: Final = (
    "deposited_thickness_um",
    "redeposited_thickness_um",
    "dendrite_thickness_um",
    "pit_thickness_um",
    "void_thickness_um",
    "void_depth_um",
    "remaining_gap_um",
    "plating_current_density_mA_cm2",
    "stripping_current_density_mA_cm2",
    "deposited_density_yx",
    "redeposited_density_yx",
    "dendrite_density_yx",
)
_ENDINGS: Final = (
    ("_mA_cm2", "", "mA/cm²"),
    ("_um", "", "µm"),
    ("_density_yx", ", seen along z", "of the view"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenScan:
    """A scan whose maps are shown, and what it stands for."""

    name: str
    scan: int
    maps: Maps


def choose_scans(history: History, paths: ExperimentPaths) -> list[ChosenScan]:
    """Choose the start, the end of the first half-cycle and of the first cycle, as far as run."""
    measured = [scan for scan in history.in_order() if _maps_path(scan) is not None]
    if not measured:
        return []
    wanted = {"start": measured[0]}
    for name, half_cycle in (("half cycle", 0), ("full cycle", 1)):
        members = [scan for scan in measured if _half_cycle(scan) == half_cycle]
        if members and members[-1].scan != measured[0].scan:
            wanted[name] = members[-1]
    last = measured[-1]
    if last.scan not in {scan.scan for scan in wanted.values()}:
        wanted["last scan"] = last
    found = []
    for name, scan in wanted.items():
        try:
            maps = read_maps(paths.resolve(_maps_path(scan) or ""))
        except NotStoredError:
            continue
        found.append(ChosenScan(name=name, scan=scan.scan, maps=maps))
    return found


def map_rows(chosen: Sequence[ChosenScan]) -> list[str]:
    """Draw a row for each map: the chosen scans with the same colours for the same values."""
    present = {name for each in chosen for name in each.maps.maps}
    rows = []
    for name in _SHOWN:
        if name not in present:
            continue
        images = {each.scan: each.maps.maps[name] for each in chosen if name in each.maps.maps}
        low, high = _range(images)
        if low == high:
            continue
        figures = "".join(_figure(each, name, images, low, high) for each in chosen)
        title, unit = _title(name)
        rows.append(
            f"<h3>{escape(title)}</h3>"
            f'<div class="film maps">{figures}</div>{_scale(low, high, unit)}'
        )
    return rows


def _figure(
    each: ChosenScan,
    name: str,
    images: Mapping[int, NDArray[np.float32]],
    low: float,
    high: float,
) -> str:
    image = images.get(each.scan)
    if image is None:
        return (
            f'<figure><div class="gone">not measured</div><figcaption>{each.name}, scan '
            f"{each.scan}</figcaption></figure>"
        )
    rows, columns = image.shape
    axes = "y × x" if name.endswith("_yx") else "z × x"
    edge = each.maps.voxel_um
    caption = (
        f"{each.name}, scan {each.scan}; {rows * edge:.0f} × {columns * edge:.0f} µm ({axes})"
    )
    png = _png(image, low, high)
    return (
        f"<figure>{picture(png, f'{name}, {caption}')}<figcaption>{caption}</figcaption></figure>"
    )


def _range(images: Mapping[int, NDArray[np.float32]]) -> tuple[float, float]:
    values = np.concatenate([image[np.isfinite(image)] for image in images.values()])
    if not values.size:
        return 0.0, 0.0
    low, high = (float(each) for each in np.percentile(values, (0.1, 99.9)))
    if high == low:
        low, high = float(values.min()), float(values.max())
    if low < 0 < high:  # signed: white is nothing
        high = max(-low, high)
        low = -high
    return low, high


def _png(image: NDArray[np.float32], low: float, high: float) -> bytes:
    """Draw a map, z or y up; grey where nothing could be measured."""
    shares = np.clip((image - low) / (high - low), 0.0, 1.0)
    numbers = np.where(np.isfinite(image), np.rint(np.nan_to_num(shares) * 254) + 1, 0)
    shown = Image.fromarray(numbers.astype(np.uint8)[::-1])
    step = -(-max(shown.size) // _WIDTH)
    if step > 1:
        shown = shown.resize(
            (-(-shown.width // step), -(-shown.height // step)), Image.Resampling.NEAREST
        )
    shown = shown.convert("P")
    shown.putpalette(_palette(low))
    out = io.BytesIO()
    shown.save(out, format="PNG", optimize=True)
    return out.getvalue()


def _palette(low: float) -> list[int]:
    """Give grey and 255 colours: dark to light, or blue over white to red if there are signs."""
    from plotly.colors import sample_colorscale

    shares = [float(share) for share in np.linspace(0.0, 1.0, 255)]
    name = "RdBu_r" if low < 0 else "Viridis"
    colours: Sequence[Any] = sample_colorscale(name, shares, colortype="tuple")
    return [128, 128, 128, *np.rint(np.array(colours) * 255).astype(int).reshape(-1).tolist()]


def _scale(low: float, high: float, unit: str) -> str:
    ramp = Image.fromarray(np.arange(1, 256, dtype=np.uint8)[None, :]).convert("P")
    ramp.putpalette(_palette(low))
    out = io.BytesIO()
    ramp.save(out, format="PNG")
    shown = picture(out.getvalue(), "scale of colours")
    return (
        f'<p class="scale soft"><span>{low:.3g}</span>{shown}'
        f"<span>{high:.3g} {escape(unit)}; grey: not measured</span></p>"
    )


def _title(name: str) -> tuple[str, str]:
    for ending, words, unit in _ENDINGS:
        if name.endswith(ending):
            return name.removesuffix(ending).replace("_", " ") + words, unit
    return name.replace("_", " "), shown_unit("1")


def _maps_path(scan: ScanHistory) -> str | None:
    return None if scan.metrics is None else scan.metrics.maps_path


def _half_cycle(scan: ScanHistory) -> int:
    fact: MetricsReady | None = scan.metrics
    return -1 if fact is None else fact.half_cycle
