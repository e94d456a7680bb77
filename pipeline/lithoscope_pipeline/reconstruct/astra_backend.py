"""The ASTRA toolbox behind our Protocol: filtered back-projection, SIRT and CGLS [1]_.

It is an extra (``astra-toolbox``), slower than ours on a processor and independent of it: what to
ask when a slice looks wrong, and, with its iterative methods, when views are few or noisy.

References
----------
.. [1] W. van Aarle et al., Opt. Express 24, 25129 (2016). doi:10.1364/OE.24.025129
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.correct.stripes import Stripes
from lithoscope_pipeline.errors import MissingLibraryError, OutOfMemoryError
from lithoscope_pipeline.geometry import (
    UM_PER_CM,
    Angles,
    FloatImage,
    FloatStack,
    FloatVolume,
    field_axis_px,
)
from lithoscope_pipeline.reconstruct.protocol import MemoryNeed
from lithoscope_pipeline.reconstruct.sinograms import (
    SinogramFilter,
    check_projections,
    relative_weights,
    sinogram_of,
)
from lithoscope_pipeline.truncation import Extension, extend_edges

AstraMethod = Literal["fbp", "sirt", "cgls"]
Device = Literal["cpu", "cuda"]

# Of a cell four times as wide as the view (plates, 96 columns): SIRT has the contrast of lithium
# to 2 % after 200 and 9 % too low after 50; CGLS begins to fit the extension after about 12.
ITERATIONS: Final[dict[AstraMethod, int]] = {"fbp": 1, "sirt": 150, "cgls": 10}


@dataclass(frozen=True, slots=True, kw_only=True)
class AstraBackend:
    """Reconstruction by ASTRA, slice by slice.

    All methods have the rotation axis where it is, to a fraction of a column, by ASTRA's vector
    geometry. Its own filtered back-projection takes no such geometry: rows are filtered here, as
    those of `FourierBackend` are, and back-projected by ASTRA. The iterative methods solve for a
    slice as wide as the extended detector and keep its middle: a sample wider than the view needs
    a place for what lies outside.

    Parameters
    ----------
    method
        ``fbp``, ``sirt`` (simultaneous iterative) or ``cgls`` (conjugate gradients).
    extension
        How projections go on outside the detector. With ``zero`` the iterative methods take the
        sample to end within the view, and are four times as fast.
    n_iterations
        Of the iterative methods; by default 150 of SIRT and 10 of CGLS.
    device
        Where it runs; ``cuda`` needs a build of ASTRA and a driver that agree.
    """

    method: AstraMethod = "fbp"
    extension: Extension = "edge"
    n_iterations: int | None = None
    device: Device = "cpu"

    @property
    def name(self) -> str:
        """Name in settings and facts."""
        return "astra" if self.method == "fbp" else f"astra-{self.method}"

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
            If ASTRA is not installed, or has no CUDA where this was asked for.
        ShapeError, ParameterError, NonFiniteError
            If the input cannot be reconstructed by any method.
        AngularRangeError
            If the angles leave a hole wider than 45 degrees in the half turn.
        OutOfMemoryError
            If the device has no memory left.
        """
        edge = check_projections(
            attenuation,
            thetas_rad,
            rotation_axis_px=rotation_axis_px,
            voxel_um=voxel_um,
            size=size,
        )
        astra = _load(self.device)
        weights = relative_weights(thetas_rad)
        n_angles, n_rows, n_columns = attenuation.shape
        scale = np.float32(UM_PER_CM / voxel_um)
        if self.method == "fbp":
            rows = SinogramFilter.make(n_columns, edge, rotation_axis_px, self.extension)
            n_detectors, axis_px, inner = rows.n_kept, rotation_axis_px - rows.first_kept, edge
            scale *= np.float32(np.pi / n_angles)
        else:
            pad_px = iterative_pad_px(n_columns, self.extension)
            n_detectors, axis_px = n_columns + 2 * pad_px, rotation_axis_px + pad_px
            inner = solved_edge(edge, n_columns, self.extension)
        margin = (inner - edge) // 2
        kept = slice(margin, margin + edge)

        volume = np.empty((n_rows, edge, edge), dtype=np.float32)
        with _solver(
            astra, self, _geometry(astra, thetas_rad, n_detectors, axis_px), inner
        ) as solve:
            for row in range(n_rows):
                sinogram = sinogram_of(attenuation, row, stripes)
                if self.method == "fbp":
                    sinogram = rows.filtered(sinogram * weights)
                else:
                    sinogram = extend_edges(sinogram, pad_px, mode=self.extension)
                np.multiply(solve(sinogram)[kept, kept], scale, out=volume[row])
        return volume

    def memory(self, *, n_angles: int, n_rows: int, n_columns: int, size: int) -> MemoryNeed:
        """Say what :meth:`reconstruct` takes; see `Backend`.

        One sinogram and slice at a time, whatever the rows, and all slices of the result.
        """
        result = 4 * n_rows * size**2
        if self.method == "fbp":
            rows = SinogramFilter.make(n_columns, size, field_axis_px(n_columns), self.extension)
            # Given and weighted; extended, its spectrum and filtered, and what is kept of it.
            work = 4 * n_angles * (2 * n_columns + 3 * rows.length + rows.n_kept)
            held = 4 * n_angles * rows.n_kept + 4 * size**2
        else:
            wide = n_columns + 2 * iterative_pad_px(n_columns, self.extension)
            inner = solved_edge(size, n_columns, self.extension)
            work = 4 * n_angles * wide
            # Both methods hold three sinograms and three slices.
            held = 3 * (4 * n_angles * wide + 4 * inner**2)
        if self.device == "cuda":
            return MemoryNeed(host_bytes=result + work, device_bytes=held)
        return MemoryNeed(host_bytes=result + work + held)


def iterative_pad_px(n_columns: int, extension: Extension) -> int:
    """Columns added on either side for an iterative method: half the view, as a sample may be."""
    return 0 if extension == "zero" else n_columns // 2


def solved_edge(size: int, n_columns: int, extension: Extension) -> int:
    """Edge of the slice that an iterative method solves for, of the parity of ``size``."""
    wide = n_columns + 2 * iterative_pad_px(n_columns, extension)
    return max(size, wide + (wide - size) % 2)


def _load(device: Device) -> ModuleType:
    try:
        import astra
    except ImportError as error:
        raise MissingLibraryError(
            "the backend astra needs the package astra-toolbox; install it, or take another "
            "backend"
        ) from error
    # Its three-dimensional programs end the process where there is no driver: always ask first.
    if device == "cuda" and not astra.use_cuda():
        raise MissingLibraryError("astra finds no CUDA device; take the backend on the processor")
    module: ModuleType = astra
    return module


def _geometry(
    astra: ModuleType, thetas_rad: Angles, n_detectors: int, axis_px: float
) -> dict[str, Any]:  # ASTRA's own
    """Vectors of each view: ray, middle of the detector, step of a column; y runs downwards."""
    thetas = thetas_rad.astype(np.float64)
    cos, sin = np.cos(thetas), np.sin(thetas)
    step = np.stack([cos, -sin], axis=1)
    ray = np.stack([-sin, -cos], axis=1)
    middle = ((n_detectors - 1) / 2 - axis_px) * step
    vectors: NDArray[np.float64] = np.concatenate([ray, middle, step], axis=1)
    geometry: dict[str, Any] = astra.create_proj_geom("parallel_vec", n_detectors, vectors)
    return geometry


class _Solve:
    """ASTRA's memory for one slice, used for one after the other."""

    def __init__(
        self, astra: ModuleType, settings: dict[str, Any], n_steps: int
    ) -> None:  # ASTRA's own
        self._astra = astra
        self._settings = settings
        self._n_steps = n_steps

    def __call__(self, sinogram: FloatImage) -> FloatImage:
        data, algorithm = self._astra.data2d, self._astra.algorithm
        data.store(self._settings["ProjectionDataId"], sinogram)
        data.store(self._settings["ReconstructionDataId"], 0)
        # CGLS goes on where it was: a new one for each slice.
        number = algorithm.create(self._settings)
        try:
            algorithm.run(number, self._n_steps)
        except self._astra.log.AstraError as error:
            if "memory" in str(error).lower():
                raise OutOfMemoryError(f"astra: {error}; take fewer rows at a time") from error
            raise
        finally:
            algorithm.delete(number)
        image: FloatImage = data.get(self._settings["ReconstructionDataId"])
        return image


@contextmanager
def _solver(
    astra: ModuleType, backend: AstraBackend, geometry: dict[str, Any], edge: int
) -> Iterator[_Solve]:
    """Hold ASTRA's objects, which are freed by hand."""
    is_cuda = backend.device == "cuda"
    name = {"fbp": "BP", "sirt": "SIRT", "cgls": "CGLS"}[backend.method]
    # Rays through pixels ("linear") back-project unevenly: 12 % too much on the axis itself.
    # Strips do not, in twice the time; where rays are projected too it cancels.
    on_processor = "strip" if backend.method == "fbp" else "linear"
    image = astra.create_vol_geom(edge, edge)
    projector = astra.create_projector("cuda" if is_cuda else on_processor, geometry, image)
    sinogram_id = astra.data2d.create("-sino", geometry)
    slice_id = astra.data2d.create("-vol", image)
    settings = astra.astra_dict(f"{name}_CUDA" if is_cuda else name) | {
        "ProjectorId": projector,
        "ProjectionDataId": sinogram_id,
        "ReconstructionDataId": slice_id,
    }
    try:
        yield _Solve(astra, settings, backend.n_iterations or ITERATIONS[backend.method])
    finally:
        astra.data2d.delete([sinogram_id, slice_id])
        astra.projector.delete(projector)
