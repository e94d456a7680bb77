"""Random surfaces and particles in micrometres, the same however finely they are sampled."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.floating]  # float64 in practice; NumPy's ufuncs are typed no closer

_N_MODES: Final = 96  # the sum of so many waves is normal to a few percent


def seeded(*words: int) -> np.random.Generator:
    """Return the generator that belongs to these numbers; negative ones are allowed."""
    # Zig-zag coding: a seed sequence takes no negative numbers.
    return np.random.default_rng([2 * w if w >= 0 else -2 * w - 1 for w in words])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Where a plane of the cell is sampled.

    A row of the detector sees the cell along ``z = z_um[i] + z_slope * x``: the slope is
    that of a cell which drifted out of plumb, and zero in the frame of the cell.

    Parameters
    ----------
    z_um
        Height of each line at x = 0, shape (n_z,).
    x_um
        Positions along each line, shape (n_x,), equally spaced.
    z_slope
        Rise of the lines in z along x.
    """

    z_um: Map
    x_um: Map
    z_slope: float = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples along (z, x)."""
        return self.z_um.size, self.x_um.size

    def lifted(self, rise_um: float) -> "Sampling":
        """Return the same lines moved along z."""
        return Sampling(z_um=self.z_um + rise_um, x_um=self.x_um, z_slope=self.z_slope)


@dataclass(frozen=True, slots=True)
class RandomField:
    """A stationary random field of zero mean, unit variance and a Gaussian correlation."""

    waves_z: Map
    waves_x: Map
    phases_rad: Map

    @classmethod
    def make(cls, rng: np.random.Generator, *, correlation_um: float) -> "RandomField":
        """Draw a field; the correlation falls to exp(-1/2) at ``correlation_um``."""
        waves = rng.standard_normal((2, _N_MODES)) / correlation_um
        return cls(waves[0], waves[1], rng.uniform(0.0, 2.0 * np.pi, _N_MODES))

    def sample(self, where: Sampling) -> Map:
        """Return the field on the lines of ``where``, shape (n_z, n_x)."""
        # cos(a + b) splits into products of a(z) and b(x), so a plane is two matrix products.
        along_z = np.outer(where.z_um, self.waves_z) + self.phases_rad
        along_x = np.outer(self.waves_x + where.z_slope * self.waves_z, where.x_um)
        field = np.cos(along_z) @ np.cos(along_x) - np.sin(along_z) @ np.sin(along_x)
        return field * np.sqrt(2.0 / _N_MODES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place on the electrode plane and the random numbers that belong to it."""

    z_um: float
    x_um: float
    draws: tuple[float, ...]


def sites_within(
    *words: int, spacing_um: float, z_um: tuple[float, float], x_um: tuple[float, float]
) -> Iterator[Site]:
    """Yield one random site for each square of a lattice that touches a rectangle.

    A square's site depends only on ``words`` and on the square, so rectangles that overlap
    agree where they overlap.
    """
    first_z, last_z = (int(np.floor(edge / spacing_um)) for edge in z_um)
    first_x, last_x = (int(np.floor(edge / spacing_um)) for edge in x_um)
    for i in range(first_z, last_z + 1):
        for j in range(first_x, last_x + 1):
            u = seeded(*words, i, j).random(6)
            yield Site(
                z_um=(i + float(u[0])) * spacing_um,
                x_um=(j + float(u[1])) * spacing_um,
                draws=tuple(float(v) for v in u[2:]),
            )
