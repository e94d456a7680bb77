"""Surfaces of classes, against spheres and slabs, measured by trimesh."""

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray

from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.surfaces import (
    MAX_TRIANGLES,
    Surface,
    mesh_class,
    plan_grid,
    pool_shares,
)

VOXEL_UM = 1.5
CENTRE = np.array([30.0, 26.0, 33.0])


def ball(radius_px: float) -> NDArray[np.uint8]:
    """Label the voxels whose centres lie in a ball, not in the middle of the volume."""
    z, y, x = np.ogrid[:62, :58, :66]
    inside = (z - CENTRE[0]) ** 2 + (y - CENTRE[1]) ** 2 + (x - CENTRE[2]) ** 2 < radius_px**2
    return inside.astype(np.uint8) * np.uint8(Label.DENDRITE)


def surface_of(
    labels: NDArray[np.uint8],
    label: Label = Label.DENDRITE,
    *,
    max_cells: int = 2**24,
    slab: int = 64,
    keeps_thin: bool = False,
    max_triangles: int = MAX_TRIANGLES,
) -> Surface | None:
    z, y, x = labels.shape
    grid = plan_grid((z, y, x), max_cells=max_cells)
    slabs = [labels[z0 : z0 + slab] for z0 in range(0, len(labels), slab)]
    shares = pool_shares(slabs, grid, [label])
    if label not in shares:
        return None
    return mesh_class(
        shares[label], grid, voxel_um=VOXEL_UM, keeps_thin=keeps_thin, max_triangles=max_triangles
    )


def as_trimesh(surface: Surface | None) -> trimesh.Trimesh:
    """Hand a surface to the library that judges it."""
    assert surface is not None
    return trimesh.Trimesh(surface.vertices_um, surface.triangles, process=False)


@pytest.mark.parametrize("max_cells", [2**24, 2**15])
def test_a_sphere_is_closed_and_has_its_volume_and_place(max_cells: int) -> None:
    surface = surface_of(ball(20.0), max_cells=max_cells)

    mesh = as_trimesh(surface)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * (20.0 * VOXEL_UM) ** 3, rel=0.02)
    np.testing.assert_allclose(mesh.center_mass, CENTRE[::-1] * VOXEL_UM, atol=0.1)
    assert surface is not None
    assert surface.volume_um3 == pytest.approx(mesh.volume, rel=1e-6)


def test_a_slab_that_fills_the_view_ends_at_the_faces_of_its_voxels() -> None:
    labels = np.zeros((20, 30, 24), np.uint8)
    labels[:, 4:10] = Label.PLATING_ELECTRODE

    mesh = as_trimesh(surface_of(labels, Label.PLATING_ELECTRODE))

    assert mesh.is_watertight
    low, high = np.array([[-0.5, 3.5, -0.5], [23.5, 9.5, 19.5]]) * VOXEL_UM
    np.testing.assert_allclose(mesh.bounds, [low, high], atol=1e-3)


def test_a_filament_of_one_voxel_stays_in_one_piece() -> None:
    labels = np.zeros((16, 40, 16), np.uint8)
    for y in range(4, 36):
        labels[8 + y % 2, y, 8] = Label.DENDRITE

    mesh = as_trimesh(surface_of(labels, keeps_thin=True))

    assert mesh.body_count == 1
    assert mesh.extents[1] > 30 * VOXEL_UM


def test_two_tips_one_voxel_apart_are_not_joined() -> None:
    labels = np.zeros((16, 41, 16), np.uint8)
    labels[6:9, 2:20, 6:9] = Label.DENDRITE
    labels[6:9, 21:39, 6:9] = Label.DENDRITE

    mesh = as_trimesh(surface_of(labels, keeps_thin=True))

    assert mesh.body_count == 2


def test_a_thin_filament_is_kept_on_coarse_cells() -> None:
    labels = np.zeros((64, 64, 64), np.uint8)
    labels[31:33, :, 31:33] = Label.DENDRITE

    plain = surface_of(labels, max_cells=22**3)
    kept = surface_of(labels, max_cells=22**3, keeps_thin=True)

    assert plain is None
    assert as_trimesh(kept).body_count == 1


@pytest.mark.parametrize("max_cells", [2**24, 20**3])
def test_slabs_do_not_matter(max_cells: int) -> None:
    labels = ball(18.0)
    whole = surface_of(labels, max_cells=max_cells, slab=62)

    for slab in (1, 7):
        parts = surface_of(labels, max_cells=max_cells, slab=slab)
        assert whole is not None
        assert parts is not None
        np.testing.assert_array_equal(parts.vertices_um, whole.vertices_um)
        np.testing.assert_array_equal(parts.triangles, whole.triangles)


def test_no_more_triangles_than_allowed() -> None:
    surface = surface_of(ball(22.0), max_triangles=3000)

    assert surface is not None
    assert 1000 < len(surface.triangles) <= 3000
    assert as_trimesh(surface).volume == pytest.approx(
        4 / 3 * np.pi * (22 * VOXEL_UM) ** 3, rel=0.02
    )


def test_a_class_that_is_not_there_has_no_surface() -> None:
    assert surface_of(ball(5.0), Label.VOID) is None
