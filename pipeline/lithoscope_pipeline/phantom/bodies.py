"""Convex bodies of lithium: along y, each fills one interval of a column, known in closed form.

A union of bodies is then a union of intervals, column by column: volumes are exact, and where
bodies overlap nothing is counted twice.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.phantom.texture import Map, Sampling

Index = NDArray[np.intp]
BURIED_UM: Final = -1.0e4
_STRIDE_UM: Final = 4.0e4  # from column to column when all columns are sorted as one line


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """Disjoint pieces of the columns of a sampled plane, sorted by column and height.

    Parameters
    ----------
    column
        Flat index of the column in ``shape``, shape (n,).
    low_um, high_um
        Ends of each piece, shape (n,).
    shape
        Number of samples along (z, x).
    """

    column: Index
    low_um: Map
    high_um: Map
    shape: tuple[int, int]

    @classmethod
    def union(cls, column: Index, low_um: Map, high_um: Map, shape: tuple[int, int]) -> "Segments":
        """Join pieces that touch or overlap; empty ones are left out."""
        is_real = high_um > low_um
        start_um = low_um[is_real] + column[is_real] * _STRIDE_UM
        order = np.argsort(start_um)
        start_um = start_um[order]
        column = column[is_real][order]
        end_um = np.maximum.accumulate(high_um[is_real][order] + column * _STRIDE_UM)
        is_first = np.ones(len(column), dtype=bool)
        is_first[1:] = start_um[1:] > end_um[:-1]
        first = np.flatnonzero(is_first)
        last = np.append(first[1:], len(column)) - 1 if len(first) else first
        places = column[first]
        return cls(
            column=places,
            low_um=start_um[first] - places * _STRIDE_UM,
            high_um=end_um[last] - places * _STRIDE_UM,
            shape=shape,
        )

    @property
    def thickness_um(self) -> Map:
        """All pieces of each column together, shape (n_z, n_x)."""
        lengths = np.bincount(
            self.column, self.high_um - self.low_um, minlength=self.shape[0] * self.shape[1]
        )
        return np.asarray(lengths, np.float64).reshape(self.shape)

    def top_um(self, floor_um: Map) -> Map:
        """Return the upper end of the highest piece of each column, ``floor_um`` if none."""
        top = floor_um.copy()
        # Sorted by height: the last one written is the highest.
        top.ravel()[self.column] = self.high_um
        return np.maximum(top, floor_um)

    def above(self, floor_um: Map) -> "Segments":
        """Return what lies above a map of heights."""
        low_um = np.maximum(self.low_um, floor_um.ravel()[self.column])
        return self.chosen(self.high_um > low_um, low_um)

    def chosen(self, is_chosen: NDArray[np.bool_], low_um: Map | None = None) -> "Segments":
        """Return some of the pieces."""
        low_um = self.low_um if low_um is None else low_um
        return Segments(
            column=self.column[is_chosen],
            low_um=low_um[is_chosen],
            high_um=self.high_um[is_chosen],
            shape=self.shape,
        )

    def cropped(self, box: tuple[slice, slice]) -> "Segments":
        """Return the part of the plane in ``box``, (z, x)."""
        (z0, z1, _), (x0, x1, _) = (
            part.indices(n) for part, n in zip(box, self.shape, strict=True)
        )
        z, x = np.divmod(self.column, self.shape[1])
        inside = (z >= z0) & (z < z1) & (x >= x0) & (x < x1)
        return Segments(
            column=(z[inside] - z0) * (x1 - x0) + x[inside] - x0,
            low_um=self.low_um[inside],
            high_um=self.high_um[inside],
            shape=(z1 - z0, x1 - x0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A capsule, or an upright column that stands on the electrode.

    Parameters
    ----------
    z_um, x_um
        Place of its lower end's middle.
    height_um
        Height of that middle above the foot level; of a column's tip.
    radius_um
        Its radius.
    length_um, azimuth_rad, elevation_rad
        From one end's middle to the other's, the direction in the plane against x, and the
        angle above the plane, below pi / 2.
    is_column
        Whether it is a column: a dome on a shaft that goes down for ever.
    root_um
        Height below which it is dissolved.
    is_fixed
        Whether its foot level is the electrode; otherwise it is the plated layer.
    """

    z_um: float
    x_um: float
    height_um: float
    radius_um: float
    length_um: float = 0.0
    azimuth_rad: float = 0.0
    elevation_rad: float = 0.0
    is_column: bool = False
    root_um: float = 0.0
    is_fixed: bool = False

    @property
    def reach_um(self) -> float:
        """Distance from its place within which it stays in the plane."""
        return self.radius_um + self.length_um * float(np.cos(self.elevation_rad))

    def interval_um(self, along_z: Map, along_x: Map) -> tuple[Map, Map]:
        """Return lower and upper end where it meets columns at these distances from its place.

        Notes
        -----
        A capsule is swept by a sphere. With ``c**2 = r**2 - w**2``, ``w`` the distance of a
        column from the vertical plane of the axis and ``t`` the place along it, the upper
        surface belongs to the sphere at ``(t + c sin e) / cos e`` along the axis, the lower to
        that at ``(t - c sin e) / cos e``, or to the nearer end.
        """
        if self.is_column:
            dome = np.sqrt(np.maximum(self.radius_um**2 - along_z**2 - along_x**2, 0.0))
            scale = min(self.height_um / self.radius_um, 1.0)
            foot_um = max(self.height_um - self.radius_um, 0.0)
            top = np.where(dome > 0, foot_um + scale * dome, BURIED_UM)
            return np.full_like(top, BURIED_UM), top
        cos_a, sin_a = np.cos(self.azimuth_rad), np.sin(self.azimuth_rad)
        cos_e, sin_e = np.cos(self.elevation_rad), np.sin(self.elevation_rad)
        forward = along_x * cos_a + along_z * sin_a
        aside = along_z * cos_a - along_x * sin_a
        half = np.sqrt(np.maximum(self.radius_um**2 - aside**2, 0.0))
        ends = []
        for sign in (-1.0, 1.0):
            place = np.clip((forward + sign * half * sin_e) / cos_e, 0.0, self.length_um)
            square = half**2 - (forward - place * cos_e) ** 2
            rise = sign * np.sqrt(np.maximum(square, 0.0))
            ends.append(np.where(square > 0, place * sin_e + rise, 0.0) + self.height_um)
        return ends[0], ends[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class BodySamples:
    """Where bodies meet the columns of a plane, before the foot level is known; shape (n,).

    Heights count from the foot level; ``width_um`` is the body's diameter.
    """

    column: Index
    low_um: Map
    high_um: Map
    root_um: Map
    width_um: Map
    is_fixed: NDArray[np.bool_]
    shape: tuple[int, int]

    @classmethod
    def of(cls, bodies: list[Body], where: Sampling) -> "BodySamples":
        """Sample bodies on the lines of ``where``."""
        met = [(body, hit) for body in bodies if (hit := _meet(body, where)) is not None]
        counts = [len(hit[0]) for _, hit in met]
        empty = np.empty(0)
        return cls(
            column=np.concatenate([hit[0] for _, hit in met] or [np.empty(0, np.intp)]),
            low_um=np.concatenate([hit[1] for _, hit in met] or [empty]),
            high_um=np.concatenate([hit[2] for _, hit in met] or [empty]),
            root_um=np.repeat([body.root_um for body, _ in met], counts).astype(float),
            width_um=np.repeat([2.0 * body.radius_um for body, _ in met], counts).astype(float),
            is_fixed=np.repeat([body.is_fixed for body, _ in met], counts).astype(bool),
            shape=where.shape,
        )

    def placed(
        self, level_um: float, floor_um: Map, lift_um: Map, ceiling_um: Map
    ) -> tuple[Map, Map]:
        """Return the ends of each piece on a layer of a given level, which may be crossed.

        Parameters
        ----------
        level_um
            Level of the layer before its roughness; bodies stand on it or on their roots' end.
        floor_um
            Height below which there is no body but layer, shape (n_z, n_x).
        lift_um
            What all stand higher by, same shape.
        ceiling_um
            Height above which there is no body, same shape.
        """
        foot_um = np.where(self.is_fixed, 0.0, np.maximum(level_um, self.root_um))
        lift = lift_um.ravel()[self.column]
        low_um = np.maximum(self.low_um + foot_um, self.root_um) + lift
        low_um = np.maximum(low_um, floor_um.ravel()[self.column])
        return low_um, np.minimum(self.high_um + foot_um + lift, ceiling_um.ravel()[self.column])

    def segments(self, level_um: float, floor_um: Map, lift_um: Map, ceiling_um: Map) -> Segments:
        """Join the pieces as `placed` returns them."""
        low_um, high_um = self.placed(level_um, floor_um, lift_um, ceiling_um)
        return Segments.union(self.column, low_um, high_um, self.shape)


def _meet(body: Body, where: Sampling) -> tuple[Index, Map, Map] | None:
    """Return the columns that a body meets and its ends in them, None if there are none."""
    step_um = where.x_um[1] - where.x_um[0]
    middle, half = (body.x_um - where.x_um[0]) / step_um, body.reach_um / step_um + 1.0
    first, last = max(0, int(middle - half)), max(0, int(middle + half) + 2)
    across = where.x_um[first:last]
    if across.size == 0:
        return None
    # Lines may lean, so that the band of lines depends on the column by a little.
    lean_um = abs(where.z_slope) * float(np.abs(across).max())
    reach_um = body.reach_um + lean_um
    lines = np.flatnonzero(np.abs(where.z_um - body.z_um) < reach_um)
    if lines.size == 0:
        return None
    along_z = where.z_um[lines, None] + where.z_slope * across - body.z_um
    along_x = np.broadcast_to(across - body.x_um, along_z.shape)
    low_um, high_um = body.interval_um(along_z, along_x)
    hit = high_um > low_um
    column = lines[:, None] * len(where.x_um) + np.arange(first, first + across.size)
    return column[hit], low_um[hit], high_um[hit]
