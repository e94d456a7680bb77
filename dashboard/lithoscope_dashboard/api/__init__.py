"""The HTTP interface, ``/api/v1``: pictures and numbers, asked for by names, never by paths."""

from lithoscope_dashboard.api.router import api_router

__all__ = ["api_router"]
