"""The reference frame: resampling against other programs, and what a large scan is read for."""

import time
from collections.abc import Callable

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name it goes by
from scipy.ndimage import map_coordinates

from benchmarks.tables import Report, Table
from benchmarks.timing import Timed, interleave, one_core, processor_s
from lithoscope_pipeline.faces import measure_swelling
from lithoscope_pipeline.geometry import FloatVolume, Roi, field_axis_px
from lithoscope_pipeline.reference_frame import find_reference_frame
from lithoscope_pipeline.resample import region_needed, resample_region
from lithoscope_pipeline.rigid import RigidTransform

OURS = "resample_region"
SCIPY = "scipy map_coordinates, order 1"
ITK = "SimpleITK Resample, linear"
FULL_SHAPE = (3977, 2575, 2582)
FULL_ROI = Roi(z0=40, z1=3936, y0=938, y1=1636, x0=437, x1=2144)
SMALL_SHAPE = (400, 515, 516)
VOXEL_UM = 1.33
GREYS = (0.0, 0.7, 0.09, 0.4, 0.09, 0.7, 0.0)
LAYERS_UM = (62.0, 112.0, 280.0, 107.7, 62.0)
NOISE = 0.3
_METHOD = (
    "Resampling: a random volume turned by up to 1.3 degrees about all axes, linear interpolation "
    "onto the same grid, the whole of it at once for the others, slice by slice as the stages do "
    "for scipy too. One thread on one core, seconds of processor, medians of interleaved rounds; "
    "`difference` is the largest to ours in units of the standard deviation of the volume.",
    "Frame and swelling: layers of the reference cell in a volume that is computed where it is "
    f"asked for, voxels of {VOXEL_UM} um, noise of {NOISE} (lithium to pouch is 0.61), turned by "
    "3.1 degrees about the axis and 0.4 along it. `read` sums all boxes that were asked for, "
    "`largest` is the largest one; the seconds are those beside the making of the boxes.",
)


class MadeCell:
    """A layered cell of any size that exists where it is looked at, and counts what is asked for.

    Parameters
    ----------
    shape
        Voxels along (z, y, x).
    place
        Cell to scan.
    up_px
        How far the plating side has moved out.
    """

    def __init__(self, shape: tuple[int, int, int], place: RigidTransform, up_px: float) -> None:
        self.shape = shape
        self.read_bytes = 0
        self.largest_bytes = 0
        self.made_s = 0.0
        self._place = place
        scale = shape[1] / FULL_SHAPE[1]
        edges = np.cumsum((0.0, *LAYERS_UM)) / VOXEL_UM * scale
        self.planes_px = edges - edges[-1] / 2 + field_axis_px(shape[1])
        self.planes_px[3:] += up_px
        self._y = np.arange(-shape[1], 2 * shape[1], 0.125)
        share = 0.5 + 0.5 * np.tanh(1.2 * (self._y[:, None] - self.planes_px))
        self._profile = (share * np.diff(GREYS)).sum(axis=1)
        self._noise = np.random.default_rng(0).normal(0.0, NOISE, 2**20).astype(np.float32)

    def __getitem__(self, box: tuple[slice, slice, slice], /) -> FloatVolume:
        """Make a box, slice by slice."""
        begin_s = time.process_time()
        z, y, x = (np.arange(n)[part] for n, part in zip(self.shape, box, strict=True))
        out = np.empty((len(z), len(y), len(x)), np.float32)
        centre = np.array(self._place.centre_px)
        across = self._place.matrix[:, 1]
        in_slice = across[1] * (y[:, None] - centre[1]) + across[2] * (x - centre[2]) + centre[1]
        for index, row in enumerate(z):
            height = in_slice + across[0] * (row - centre[0])
            place = ((height - self._y[0]) / 0.125).astype(np.intp)
            out[index] = self._profile[np.clip(place, 0, len(self._y) - 1)]
        flat = out.reshape(-1)
        first = int(z[0] * 7919 + y[0] * 104729 + x[0] * 31) % len(self._noise)
        flat += np.resize(np.roll(self._noise, first), flat.size)
        self.read_bytes += out.nbytes
        self.largest_bytes = max(self.largest_bytes, out.nbytes)
        self.made_s += time.process_time() - begin_s
        return out


def measure(*, is_quick: bool) -> Report:
    """Time resampling, and look for the frame of a full-size scan."""
    with one_core():
        tables = (
            _resampling(120 if is_quick else 300, repeats=2 if is_quick else 5),
            _frames(SMALL_SHAPE if is_quick else FULL_SHAPE),
            _region(),
        )
    return Report(
        title="The reference frame",
        method=_METHOD,
        tables=tables,
        packages=("lithoscope", "scipy", "SimpleITK", "numba"),
    )


def _resampling(n: int, *, repeats: int) -> Table:
    volume = np.random.default_rng(0).normal(size=(n, n, n)).astype(np.float32)
    middle = (n - 1) / 2
    transform = RigidTransform(
        rotation_deg=(1.3, -0.8, 0.6),
        shift_px=(1.4, -2.7, 3.1),
        centre_px=(middle, middle, middle),
    )
    programs: dict[str, Callable[[], FloatVolume]] = {
        OURS: lambda: (
            resample_region(volume, transform, roi=Roi(z0=0, z1=n, y0=0, y1=n, x0=0, x1=n)).volume
        ),
        SCIPY: lambda: _by_scipy(volume, transform),
        ITK: lambda: _by_itk(volume, transform),
    }
    made = {name: run() for name, run in programs.items()}
    timings = interleave({name: _timed(run) for name, run in programs.items()}, repeats=repeats)
    inner = tuple(slice(8, -8) for _ in range(3))
    return Table(
        title=f"Linear resampling of {n} x {n} x {n} voxels, {repeats} rounds",
        columns=("program", "s", "ns a voxel", "ours / theirs", "difference"),
        rows=[
            (
                name,
                f"{timings.median_s(name):.3f}",
                f"{1e9 * timings.median_s(name) / n**3:.1f}",
                timings.ratio_text(OURS, name),
                f"{np.abs(made[name][inner] - made[OURS][inner]).max():.1e}",
            )
            for name in programs
        ],
    )


def _timed(run: Callable[[], FloatVolume]) -> Timed:
    return lambda: processor_s(run)


def _by_scipy(volume: FloatVolume, transform: RigidTransform) -> FloatVolume:
    n = volume.shape[0]
    out = np.empty_like(volume)
    y, x = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    for z in range(n):
        at = transform.to_scan(np.stack([np.full(y.shape, z), y, x], axis=-1).astype(np.float64))
        map_coordinates(volume, np.moveaxis(at, -1, 0), output=out[z], order=1, mode="nearest")
    return out


def _by_itk(volume: FloatVolume, transform: RigidTransform) -> FloatVolume:
    euler = sitk.Euler3DTransform()
    euler.SetCenter(transform.centre_px[::-1])
    about_z, about_y, about_x = np.deg2rad(transform.rotation_deg)
    euler.SetRotation(float(about_x), float(about_y), float(about_z))
    euler.SetTranslation(transform.shift_px[::-1])
    method = sitk.ResampleImageFilter()
    method.SetNumberOfThreads(1)
    method.SetTransform(euler)
    method.SetInterpolator(sitk.sitkLinear)
    image = sitk.GetImageFromArray(volume)
    method.SetReferenceImage(image)
    made: FloatVolume = sitk.GetArrayFromImage(method.Execute(image))
    return made


def _frames(shape: tuple[int, int, int]) -> Table:
    centre = (field_axis_px(shape[0]), field_axis_px(shape[1]), field_axis_px(shape[2]))
    place = RigidTransform(rotation_deg=(3.1, 0.0, 0.4), centre_px=centre)
    voxel_um = VOXEL_UM * FULL_SHAPE[1] / shape[1]
    up_px = 39.0 / voxel_um
    first, later = MadeCell(shape, place, 0.0), MadeCell(shape, place, up_px)
    whole_gb = 4e-9 * float(np.prod(shape))
    begin_s = time.process_time()
    frame = find_reference_frame(first, voxel_um)
    frame_s = time.process_time() - begin_s - first.made_s
    if frame.faces is None:
        raise SystemExit(f"no frame was found: {frame.reason}")
    begin_s = time.process_time()
    found = measure_swelling(later, frame.transform, frame.faces)
    swelling_s = time.process_time() - begin_s - later.made_s
    about_z, _, about_x = frame.transform.rotation_deg
    off = np.array(frame.planes_px) - first.planes_px
    lift = f"lift off by {found.plating.mean_px - up_px:+.3f} voxel"
    rows = [
        (
            "frame",
            f"{frame_s:.1f}",
            f"{1e-9 * first.read_bytes:.1f}",
            f"{1e-6 * first.largest_bytes:.0f}",
            f"{about_z - 3.1:+.4f} and {about_x - 0.4:+.4f} deg off, planes within "
            f"{np.abs(off).max():.2f} voxel",
        ),
        (
            "swelling",
            f"{swelling_s:.1f}",
            f"{1e-9 * later.read_bytes:.1f}",
            f"{1e-6 * later.largest_bytes:.0f}",
            f"{lift}, {found.plating.verdict}",
        ),
    ]
    return Table(
        title=f"A scan of {shape[0]} x {shape[1]} x {shape[2]} voxels, {whole_gb:.1f} GB",
        columns=("step", "s", "read, GB", "largest, MB", "found"),
        rows=rows,
    )


def _region() -> Table:
    centre = (1988.0, 1287.0, 1290.5)
    turned = RigidTransform(
        rotation_deg=(0.3, -0.2, 0.3), shift_px=(2.0, -3.0, 1.0), centre_px=centre
    )
    rows = []
    for slab_rows in (32, 64):
        slab = Roi(
            z0=2000, z1=2000 + slab_rows,
            y0=FULL_ROI.y0, y1=FULL_ROI.y1, x0=FULL_ROI.x0, x1=FULL_ROI.x1,
        )  # fmt: skip
        box = region_needed(turned, slab, FULL_SHAPE)
        n_slabs = -(-FULL_ROI.shape[0] // slab_rows)
        read_gb = 4e-9 * float(np.prod(box.shape))
        rows.append(
            (
                str(slab_rows),
                f"{1e3 * read_gb:.0f}",
                f"{4e-6 * float(np.prod(slab.shape)):.0f}",
                f"{n_slabs * read_gb:.0f}",
            )
        )
    return Table(
        title="The region of the reference experiment, turned by 0.3 degrees, of 105.8 GB",
        columns=("rows a slab", "read for a slab, MB", "made, MB", "read in all, GB"),
        rows=rows,
    )
