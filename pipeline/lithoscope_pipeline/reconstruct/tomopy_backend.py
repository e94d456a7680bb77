"""TomoPy behind our Protocol: gridrec [1]_ and its other methods.

TomoPy is not on PyPI: conda brings it. Its gridrec returns contrast times a number (see
`gridrec_gain`) and drops the mean of each projection, which bends grey values the more the less a
row is padded [measured with TomoPy 1.15, discs of 78 and 50 % of the view]:

=================== ================== =========================== =================
padded row / view   contrast of a disc contrast of a detail in it  empty, disc = 1
=================== ================== =========================== =================
1.0 (not padded)    1.33 to 1.94       1.07 to 1.40                -0.25 to -0.98
2.0                 1.14 to 1.18       1.09 to 1.20                -0.03 to -0.09
4.0                 1.12 to 1.13       1.11 to 1.14                -0.01 to -0.02
8.0                 1.120 to 1.122     1.116 to 1.124              -0.002 to -0.005
=================== ================== =========================== =================

Here rows are continued to at least three times the view, up to a power of two, and slices are
divided by the gain of well-padded rows, 1.12: what is left is 1 to 3 % of contrast and the offset.

References
----------
.. [1] F. Marone and M. Stampanoni, J. Synchrotron Radiat. 19, 1029 (2012).
   doi:10.1107/S0909049512032864
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.correct.stripes import Stripes
from lithoscope_pipeline.errors import MissingLibraryError
from lithoscope_pipeline.geometry import (
    UM_PER_CM,
    Angles,
    FloatStack,
    FloatVolume,
    field_axis_px,
)
from lithoscope_pipeline.reconstruct.protocol import MemoryNeed
from lithoscope_pipeline.reconstruct.sinograms import (
    SinogramFilter,
    check_projections,
    relative_weights,
    shifted_columns,
    sinogram_of,
)
from lithoscope_pipeline.truncation import Extension, extend_edges

TomopyMethod = Literal[
    "gridrec", "fbp", "art", "bart", "sirt", "mlem", "osem",
    "pml_hybrid", "pml_quad", "ospml_hybrid", "ospml_quad", "tv", "grad",
]  # fmt: skip
# They multiply: what is negative would never come back.
POSITIVE: Final = {"mlem", "osem", "pml_hybrid", "pml_quad", "ospml_hybrid", "ospml_quad"}
N_ITERATIONS: Final = 50
ROWS_AT_ONCE: Final = 2  # gridrec transforms two slices as one complex image


@dataclass(frozen=True, slots=True, kw_only=True)
class TomopyBackend:
    """Reconstruction by TomoPy, two rows at a time, on one core.

    Parameters
    ----------
    method
        ``gridrec``, ``fbp`` or an iterative method, by TomoPy's names. TomoPy's ``fbp`` does not
        filter: rows are filtered here.
    extension
        How projections go on outside the detector. With ``zero`` the iterative methods take the
        sample to end within the view.
    n_iterations
        Of the iterative methods.
    regularisation
        ``reg_par`` of those that have one; None leaves TomoPy's default.
    """

    method: TomopyMethod = "gridrec"
    extension: Extension = "edge"
    n_iterations: int = N_ITERATIONS
    regularisation: float | None = None

    @property
    def name(self) -> str:
        """Name in settings and facts."""
        return "tomopy" if self.method == "gridrec" else f"tomopy-{self.method}"

    def reconstruct(
        self,
        attenuation: FloatStack,
        thetas_rad: Angles,
        *,
        rotation_axis_px: float,
        voxel_um: float,
        size: int | None = None,
        stripes: Stripes | None = None,
    ) -> FloatVolume:
        """Reconstruct one slice a detector row; see `Backend`.

        Raises
        ------
        MissingLibraryError
            If TomoPy is not installed.
        ShapeError, ParameterError, NonFiniteError
            If the input cannot be reconstructed by any method.
        AngularRangeError
            If the angles leave a hole wider than 45 degrees in the half turn.
        """
        edge = check_projections(
            attenuation,
            thetas_rad,
            rotation_axis_px=rotation_axis_px,
            voxel_um=voxel_um,
            size=size,
        )
        tomopy = _load()
        rows_of = {"gridrec": self._by_gridrec, "fbp": self._by_back_projection}.get(
            self.method, self._by_iteration
        )
        scale = np.float32(UM_PER_CM / voxel_um)
        if self.method == "gridrec":
            scale /= np.float32(gridrec_gain())
        volume = np.empty((attenuation.shape[1], edge, edge), dtype=np.float32)
        for row in range(0, attenuation.shape[1], ROWS_AT_ONCE):
            part = slice(row, row + ROWS_AT_ONCE)
            rows = range(attenuation.shape[1])[part]
            sinograms = np.stack([sinogram_of(attenuation, each, stripes) for each in rows])
            slices = rows_of(tomopy, sinograms, thetas_rad, rotation_axis_px, edge)
            np.multiply(slices, scale, out=volume[part])
        return volume

    def memory(self, *, n_angles: int, n_rows: int, n_columns: int, size: int) -> MemoryNeed:
        """Say what :meth:`reconstruct` takes; see `Backend`.

        Two sinograms and slices at a time, whatever the rows, and all slices of the result.
        """
        result, given = 4 * n_rows * size**2, 4 * ROWS_AT_ONCE * n_angles * n_columns
        match self.method:
            case "gridrec":
                width = gridrec_width(n_columns, size)
                # Weighted; extended twice, and, of one at a time, spectrum and shift.
                rows = given + 4 * n_angles * width * 2 * ROWS_AT_ONCE
                work = max(4 * n_angles * width * 3, 8 * width**2 + 8 * n_angles * width)
            case "fbp":
                filtering = SinogramFilter.make(
                    n_columns, size, field_axis_px(n_columns), self.extension
                )
                rows = 4 * n_angles * filtering.n_kept * ROWS_AT_ONCE
                work = 4 * n_angles * (n_columns + 3 * filtering.length + filtering.n_kept)
            case _:
                wide = n_columns + (0 if self.extension == "zero" else 2 * (n_columns // 2))
                rows = 4 * n_angles * wide * ROWS_AT_ONCE
                # Projections of the slices; the slices, their weights and their change, of both.
                work = rows + 4 * max(size, wide) ** 2 * 3 * ROWS_AT_ONCE
        return MemoryNeed(host_bytes=result + given + rows + work + 4 * ROWS_AT_ONCE * size**2)

    def _by_gridrec(
        self,
        tomopy: ModuleType,
        sinograms: FloatStack,
        thetas_rad: Angles,
        rotation_axis_px: float,
        size: int,
    ) -> FloatVolume:
        n_columns = sinograms.shape[2]
        width = gridrec_width(n_columns, size)
        pad_px = (width - n_columns + 1) // 2
        weighted = sinograms * relative_weights(thetas_rad)
        rows = extend_edges(weighted, pad_px, mode=self.extension)[..., :width]
        # Its slices are centred on a voxel: odd ones come one larger, even ones half a voxel off.
        grid = size + size % 2
        if size % 2 == 0:
            thetas = thetas_rad.astype(np.float64)
            halves = -0.5 * (np.cos(thetas) + np.sin(thetas))
            rows = np.stack([shifted_columns(sinogram, halves) for sinogram in rows])
        slices = tomopy.recon(
            rows, thetas_rad, center=rotation_axis_px + pad_px, sinogram_order=True,
            algorithm="gridrec", filter_name="ramlak", num_gridx=grid, num_gridy=grid, ncore=1,
        )  # fmt: skip
        return _upright(slices)[:, size % 2 :, size % 2 :]

    def _by_back_projection(
        self,
        tomopy: ModuleType,
        sinograms: FloatStack,
        thetas_rad: Angles,
        rotation_axis_px: float,
        size: int,
    ) -> FloatVolume:
        rows = SinogramFilter.make(sinograms.shape[2], size, rotation_axis_px, self.extension)
        weights = relative_weights(thetas_rad) * np.float32(np.pi / thetas_rad.size)
        filtered = np.stack([rows.filtered(each * weights) for each in sinograms])
        slices = tomopy.recon(
            filtered, thetas_rad, center=_edge_counted(rotation_axis_px - rows.first_kept),
            sinogram_order=True, algorithm="fbp", num_gridx=size, num_gridy=size, ncore=1,
        )  # fmt: skip
        return _upright(slices)

    def _by_iteration(
        self,
        tomopy: ModuleType,
        sinograms: FloatStack,
        thetas_rad: Angles,
        rotation_axis_px: float,
        size: int,
    ) -> FloatVolume:
        n_columns = sinograms.shape[2]
        pad_px = 0 if self.extension == "zero" else n_columns // 2
        rows = extend_edges(sinograms, pad_px, mode=self.extension)
        if self.method in POSITIVE:
            np.maximum(rows, 0.0, out=rows)
        wide = rows.shape[2]
        grid = max(size, wide + (wide - size) % 2)
        options = {} if self.regularisation is None else {"reg_par": self.regularisation}
        slices = tomopy.recon(
            rows, thetas_rad, center=_edge_counted(rotation_axis_px + pad_px),
            sinogram_order=True, algorithm=self.method, num_iter=self.n_iterations,
            num_gridx=grid, num_gridy=grid, ncore=1, **options,
        )  # fmt: skip
        margin = (grid - size) // 2
        return _upright(slices)[:, margin : margin + size, margin : margin + size]


def gridrec_width(n_columns: int, size: int) -> int:
    """Columns of a row as gridrec gets it: a power of two, three times the view or more."""
    # A slice as wide as the row would read one value past the end of TomoPy's table.
    return 1 << max(3 * n_columns, size + 1).bit_length()


def gridrec_gain() -> float:
    """Measure by how much gridrec raises contrast when rows are padded well.

    It reconstructs a disc of attenuation 1 a voxel in a row 32 times as wide; the mean within,
    less that around it, is the gain: 1.12 in all versions seen.

    Raises
    ------
    MissingLibraryError
        If TomoPy is not installed.
    """
    radius_px, width = 8.0, 512
    thetas_rad = np.arange(180) * (np.pi / 180)
    points = np.arange(width)[:, None] + (np.arange(8) - 3.5) / 8 - width / 2
    row = 2.0 * np.sqrt(np.maximum(radius_px**2 - points**2, 0.0)).mean(axis=1)
    sinogram = np.repeat(row.astype(np.float32)[None, None], thetas_rad.size, axis=1)
    image = _load().recon(
        sinogram, thetas_rad, center=width / 2, sinogram_order=True, algorithm="gridrec",
        filter_name="ramlak", num_gridx=64, num_gridy=64, ncore=1,
    )[0]  # fmt: skip
    y, x = np.indices(image.shape)
    distance_px = np.hypot(y - 31.0, x - 32.0)  # rows are counted against ours
    inside = image[distance_px < radius_px - 3.0].mean()
    around = image[(distance_px > radius_px + 4.0) & (distance_px < 28.0)].mean()
    return float(inside - around)


def _upright(slices: NDArray[np.float32]) -> FloatVolume:
    """Count rows along y; TomoPy counts them against it."""
    return slices[:, ::-1]


def _edge_counted(column_px: float) -> float:
    """Give a column as all but gridrec count: from the edge of the first one."""
    return column_px + 0.5


def _load() -> ModuleType:
    try:
        import tomopy
    except ImportError as error:
        raise MissingLibraryError(
            "the backend tomopy needs TomoPy, which conda installs and PyPI does not have; "
            "install it, or take another backend"
        ) from error
    module: ModuleType = tomopy
    return module
