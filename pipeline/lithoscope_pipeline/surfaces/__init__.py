"""Surfaces of the classes of a label volume, as triangles for a 3-D view."""

from lithoscope_pipeline.surfaces.grid import MeshGrid, plan_grid, pool_shares
from lithoscope_pipeline.surfaces.mesh import MAX_TRIANGLES, Surface, mesh_class

__all__ = ["MAX_TRIANGLES", "MeshGrid", "Surface", "mesh_class", "plan_grid", "pool_shares"]
