"""Maps of scans: pictures, numbers, values at a point, profiles, tables."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from lithoscope_dashboard.api.answers import Answer, Find, find_scan, generation_of, refuse
from lithoscope_dashboard.api.slices import Experiment, Scan, Token
from lithoscope_dashboard.errors import PictureError
from lithoscope_dashboard.map_pictures import (
    Colours,
    FloatMap,
    MapNumbers,
    Place,
    colour_bar_png,
    describe_map,
    map_png,
    profile,
    veil_png,
)
from lithoscope_store.errors import StoreError
from lithoscope_store.layout import Store
from lithoscope_store.maps import StoredMap, map_names, read_map

Name = Annotated[str, Path(max_length=64)]
Minus = Annotated[int | None, Query(ge=0, le=9999, description="Scan to take off")]
#: Maps held in memory; one of a full-size scan is 16 MB.
KEPT = 4


class MapReader:
    """Finds and reads maps by experiment, scan and name.

    Parameters
    ----------
    store, find
        Where they lie, and what is known of experiments.
    """

    def __init__(self, store: Store, find: Find) -> None:
        self._store = store
        self._find = find
        self._read = lru_cache(maxsize=KEPT)(read_map)

    def folder(self, experiment: str, scan: int) -> FilePath:
        """Give the folder of the maps of a scan.

        Raises
        ------
        PictureError
            If it has none yet.
        """
        relative = find_scan(self._find, experiment, scan).maps_path
        if relative is None:
            raise PictureError(f"scan {scan} of {experiment} has no maps yet")
        return self._store.experiment(experiment).resolve(relative)

    def names(self, experiment: str, scan: int) -> tuple[str, ...]:
        """Give the names of the maps of a scan."""
        return map_names(self.folder(experiment, scan))

    def stored(self, experiment: str, scan: int, name: str, minus: int | None) -> StoredMap:
        """Read a map, or its difference to that of another scan."""
        here = self._read(self.folder(experiment, scan), name)
        if minus is None:
            return here
        there = self._read(self.folder(experiment, minus), name)
        if there.values.shape != here.values.shape:
            raise PictureError(
                f"{name} of scan {minus} has another size than that of scan {scan}: "
                f"{there.values.shape}, not {here.values.shape}"
            )
        return StoredMap(values=here.values - there.values, unit=here.unit, pixel_um=here.pixel_um)

    def limits(self, experiment: str, scan: int, name: str, minus: int | None) -> FloatMap | None:
        """Read the least value that is told from nothing, pixel by pixel; None where none is.

        The limits of two scans add as their variances do.
        """
        limit = limit_name(name)
        if limit is None or limit not in self.names(experiment, scan):
            return None
        here = self._read(self.folder(experiment, scan), limit).values
        if minus is None:
            return here
        there = self._read(self.folder(experiment, minus), limit).values
        return np.hypot(here, there)

    def generation(self, experiment: str, scan: int, minus: int | None) -> str:
        """Name what the answer is made from."""
        folders = [str(self.folder(experiment, scan))]
        if minus is not None:
            folders.append(str(self.folder(experiment, minus)))
        return generation_of(*folders)


def limit_name(name: str) -> str | None:
    """Give the name of the map of what is detectable at least in another, if there may be one."""
    before, is_current, after = name.partition("_current_density_")
    return f"{before}_current_limit_{after}" if is_current else None


def is_signed(name: str, stored: StoredMap, minus: int | None) -> bool:
    """Whether a map has a sign: a difference, a displacement, or a current density."""
    if minus is not None or ("mA" in stored.unit and "limit" not in name):
        return True
    finite = stored.values[np.isfinite(stored.values)]
    return bool(finite.size) and float(finite.min()) < 0 < float(finite.max())


def map_routes(reader: MapReader) -> APIRouter:
    """Make the routes of maps."""
    router = APIRouter()

    def listed(experiment: Experiment, scan: Scan) -> Response:
        """Name the maps of a scan."""
        try:
            names = reader.names(experiment, scan)
            generation = reader.generation(experiment, scan, None)
        except (PictureError, StoreError) as error:
            return refuse(error)
        about = {"experiment": experiment, "scan": scan, "generation": generation}
        return JSONResponse({**about, "maps": names})

    def numbers(experiment: Experiment, scan: Scan, name: Name, minus: Minus = None) -> Response:
        """Give range, extremes and their places."""
        try:
            stored = reader.stored(experiment, scan, name, minus)
            limits = reader.limits(experiment, scan, name, minus)
            generation = reader.generation(experiment, scan, minus)
        except (PictureError, StoreError) as error:
            return refuse(error)
        about = _about(experiment, scan, name, minus, generation)
        found = describe_map(stored.values, is_signed=is_signed(name, stored, minus))
        share = detected_share(stored.values, limits)
        return JSONResponse({**about, **_numbers_json(stored, found), "detected_share": share})

    def picture(
        request: Request,
        experiment: Experiment,
        scan: Scan,
        name: Name,
        minus: Minus = None,
        v: Token = "",
    ) -> Response:
        """Draw the map in colours."""
        try:
            stored = reader.stored(experiment, scan, name, minus)
            generation = reader.generation(experiment, scan, minus)
        except (PictureError, StoreError) as error:
            return refuse(error)

        def make() -> bytes:
            found = describe_map(stored.values, is_signed=is_signed(name, stored, minus))
            return map_png(stored.values, found.low, found.high, found.colours)

        return Answer(
            about=_about(experiment, scan, name, minus, generation),
            media_type="image/png",
            make=make,
            is_immutable=v == generation,
        ).respond(request)

    add = router.add_api_route
    add("/maps/{experiment}/{scan}.json", listed, response_class=Response)
    add("/map/{experiment}/{scan}/{name}.json", numbers, response_class=Response)
    add("/map/{experiment}/{scan}/{name}.png", picture, response_class=Response)
    add("/colours/{colours}.png", _colour_bar, response_class=Response)
    _add_veil(router, reader)
    _add_readings(router, reader)
    return router


def _add_veil(router: APIRouter, reader: MapReader) -> None:
    def undetected(
        request: Request,
        experiment: Experiment,
        scan: Scan,
        name: Name,
        minus: Minus = None,
        v: Token = "",
    ) -> Response:
        """Draw where a map is below its detection limit."""
        try:
            stored = reader.stored(experiment, scan, name, minus)
            limits = reader.limits(experiment, scan, name, minus)
            generation = reader.generation(experiment, scan, minus)
        except (PictureError, StoreError) as error:
            return refuse(error)
        if limits is None:
            return refuse(PictureError(f"{name} of scan {scan} has no detection limit"))
        return Answer(
            about={**_about(experiment, scan, name, minus, generation), "layer": "undetected"},
            media_type="image/png",
            make=lambda: veil_png(np.abs(stored.values) < limits),
            is_immutable=v == generation,
        ).respond(request)

    path = "/map/{experiment}/{scan}/{name}/undetected.png"
    router.add_api_route(path, undetected, response_class=Response)


def detected_share(values: FloatMap, limits: FloatMap | None) -> float | None:
    """Give the part of what was measured that is told from nothing; None without a limit."""
    measured = np.isfinite(values)
    if limits is None or not measured.any():
        return None
    return float((np.abs(values) >= limits)[measured].mean())


def _add_readings(router: APIRouter, reader: MapReader) -> None:
    def value(
        experiment: Experiment,
        scan: Scan,
        name: Name,
        row: Annotated[int, Query(ge=0, le=99_999)],
        column: Annotated[int, Query(ge=0, le=99_999)],
        minus: Minus = None,
    ) -> Response:
        """Give the value of one pixel."""
        try:
            stored = reader.stored(experiment, scan, name, minus)
            limits = reader.limits(experiment, scan, name, minus)
            if row >= stored.values.shape[0] or column >= stored.values.shape[1]:
                raise PictureError(f"{name} has {stored.values.shape} pixels, not {row}, {column}")
        except (PictureError, StoreError) as error:
            return refuse(error)
        found = float(stored.values[row, column])
        about = _about(experiment, scan, name, minus, reader.generation(experiment, scan, minus))
        place = {"row": row, "column": column, "unit": stored.unit}
        limit = None if limits is None else _finite(float(limits[row, column]))
        return JSONResponse({**about, **place, "value": _finite(found), "limit": limit})

    def along(
        experiment: Experiment,
        scan: Scan,
        name: Name,
        top: Annotated[float, Query(ge=0, le=99_999)],
        left: Annotated[float, Query(ge=0, le=99_999)],
        bottom: Annotated[float, Query(ge=0, le=99_999)],
        right: Annotated[float, Query(ge=0, le=99_999)],
        minus: Minus = None,
    ) -> Response:
        """Give the values along a line."""
        try:
            stored = reader.stored(experiment, scan, name, minus)
        except (PictureError, StoreError) as error:
            return refuse(error)
        distance, values = profile(stored.values, (top, left), (bottom, right))
        about = _about(experiment, scan, name, minus, reader.generation(experiment, scan, minus))
        return JSONResponse(
            {
                **about,
                "unit": stored.unit,
                "distance_um": (distance * stored.pixel_um).tolist(),
                "values": [_finite(float(each)) for each in values],
            }
        )

    def table(experiment: Experiment, scan: Scan, name: Name, minus: Minus = None) -> Response:
        """Write the map as comma-separated values, a row a line."""
        try:
            stored = reader.stored(experiment, scan, name, minus)
        except (PictureError, StoreError) as error:
            return refuse(error)
        suffix = "" if minus is None else f"-minus-{minus:04d}"
        file = f"{experiment}-{scan:04d}-{name}{suffix}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{file}"'}
        lines = _csv_lines(stored.values, stored.unit, stored.pixel_um)
        return StreamingResponse(lines, media_type="text/csv", headers=headers)

    add = router.add_api_route
    add("/map/{experiment}/{scan}/{name}/value.json", value, response_class=Response)
    add("/map/{experiment}/{scan}/{name}/profile.json", along, response_class=Response)
    add("/map/{experiment}/{scan}/{name}.csv", table, response_class=Response)


def _colour_bar(request: Request, colours: Colours) -> Response:
    return Answer(
        about={"colours": colours},
        media_type="image/png",
        make=lambda: colour_bar_png(colours),
        is_immutable=True,
    ).respond(request)


def _about(
    experiment: str, scan: int, name: str, minus: int | None, generation: str
) -> dict[str, object]:
    return {
        "experiment": experiment,
        "scan": scan,
        "map": name,
        "minus": minus,
        "generation": generation,
    }


def _numbers_json(stored: StoredMap, found: MapNumbers) -> dict[str, Any]:
    return {
        "unit": stored.unit,
        "pixel_um": stored.pixel_um,
        "shape": stored.values.shape,
        "low": found.low,
        "high": found.high,
        "colours": found.colours,
        "mean": found.mean,
        "measured_share": found.measured_share,
        "least": _place_json(found.least),
        "greatest": _place_json(found.greatest),
    }


def _place_json(place: Place | None) -> dict[str, float] | None:
    if place is None:
        return None
    return {"row": place.row, "column": place.column, "value": place.value}


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _csv_lines(values: FloatMap, unit: str, pixel_um: float) -> Iterator[str]:
    yield f"# unit {unit}; pixel {pixel_um:g} um; rows and columns from 0; empty: not measured\n"
    for row in values:
        yield ",".join("" if np.isnan(each) else f"{each:.6g}" for each in row) + "\n"
