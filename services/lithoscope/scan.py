"""One scan: its volume, labels and maps in micrometres, read when they are looked at."""

from typing import TYPE_CHECKING, Any

import numpy as np

from lithoscope.errors import MissingExtraError, NotThereError
from lithoscope.lazy import lazy_volume
from lithoscope_messages import LabelsReady, TransformReady
from lithoscope_services.history import ScanHistory
from lithoscope_store import ExperimentPaths, label_classes, read_maps, volume_info

if TYPE_CHECKING:
    import xarray as xr


class Scan:
    """One tomogram of an experiment.

    Parameters
    ----------
    paths
        Of the experiment.
    facts
        What the journal says of it.
    """

    def __init__(self, paths: ExperimentPaths, facts: ScanHistory) -> None:
        self._paths, self.facts = paths, facts

    def __repr__(self) -> str:
        return f"<scan {self.number} of {self._paths.name!r}>"

    @property
    def number(self) -> int:
        """Number of the scan, from 0."""
        return self.facts.scan

    @property
    def volume(self) -> "xr.DataArray":
        """Grey values in the reference frame, lazy; see :meth:`at_level`."""
        return self.at_level(0)

    @property
    def labels(self) -> "xr.DataArray":
        """Labels in the reference frame, uint8, lazy; ``attrs["classes"]`` names them."""
        return self.at_level(0, is_labels=True)

    @property
    def reconstruction(self) -> "xr.DataArray":
        """Grey values as they were reconstructed, in the frame of this scan, lazy.

        Coordinates count from the first voxel. It may have been pruned.

        Raises
        ------
        NotThereError
            If the scan has none.
        """
        fact = self.facts.volume
        if fact is None:
            raise self._missing("volume", "reconstruct")
        return lazy_volume(self._paths.resolve(fact.path), origin_um=(0.0, 0.0, 0.0))

    def at_level(self, level: int, *, is_labels: bool = False) -> "xr.DataArray":
        """Give volume or labels at a level of resolution; each level is half as fine.

        Parameters
        ----------
        level
            0 is the finest.
        is_labels
            Labels instead of grey values.

        Returns
        -------
        xarray.DataArray
            Dimensions (z, y, x) with coordinates in µm: z along the rotation axis, y through the
            thickness of the cell from the outer face of the stationary electrode, x along the
            electrode. Voxels are read when values are asked for.

        Raises
        ------
        NotThereError
            If the scan has no labels; its volume in the reference frame is made with them.
        """
        fact = self._labels
        path = self._paths.resolve(fact.path)
        array = lazy_volume(
            path,
            level=level,
            label=fact.label_name if is_labels else None,
            origin_um=self._origin_um(fact),
        )
        if is_labels:
            classes = label_classes(path, fact.label_name)
            array.attrs["classes"] = {each.value: each.name for each in classes}
        return array

    @property
    def maps(self) -> "xr.Dataset":
        """In-plane maps (z, x) of this scan, in µm; maps of other sizes have axes of their own.

        Raises
        ------
        NotThereError
            If the scan was not measured.
        """
        xr = _xarray()
        fact = self.facts.metrics
        if fact is None or fact.maps_path is None:
            raise self._missing("maps", "measure")
        maps = read_maps(self._paths.resolve(fact.maps_path))
        z, _, x = self._coordinates_um()
        found = {}
        for name, image in maps.maps.items():
            attributes = {"units": maps.units[name]}
            if image.shape == (z.size, x.size):
                found[name] = xr.DataArray(image, {"z": z, "x": x}, ("z", "x"), attrs=attributes)
            else:
                axes = (f"{name}_row", f"{name}_column")
                found[name] = xr.DataArray(image, dims=axes, attrs=attributes)
        return _with_um(xr.Dataset(found))

    def napari_layers(
        self, *, level: int = 0, is_visible: bool = True
    ) -> list[tuple[Any, dict[str, Any], str]]:
        """Give volume and labels as napari's tuples of data, options and kind of layer."""
        path = self._paths.resolve(self._labels.path)
        colours: dict[int | None, Any] = {
            each.value: np.array(each.colour) / 255
            for each in label_classes(path, self._labels.label_name)
        }
        layers = []
        for array, kind in (
            (self.at_level(level), "image"),
            (self.at_level(level, is_labels=True), "labels"),
        ):
            steps = [float(array[axis][1] - array[axis][0]) for axis in ("z", "y", "x")]
            options: dict[str, Any] = {
                "name": f"scan {self.number} {kind}",
                "scale": steps,
                "translate": [float(array[axis][0]) for axis in ("z", "y", "x")],
                "units": "um",
                "visible": is_visible,
            }
            if kind == "labels":
                options |= {"colormap": {**colours, None: np.zeros(4)}, "opacity": 0.5}
            layers.append((array, options, kind))
        return layers

    @property
    def _labels(self) -> LabelsReady:
        if self.facts.labels is None:
            raise self._missing("labels", "segment")
        return self.facts.labels

    def _origin_um(self, labels: LabelsReady) -> tuple[float, float, float]:
        transform = self.facts.transform
        if transform is None:
            raise self._missing("transform", "register")
        return _origin_um(transform, labels.voxel_um)

    def _coordinates_um(self) -> tuple[Any, Any, Any]:  # three vectors of float64
        fact = self._labels
        info = volume_info(self._paths.resolve(fact.path))
        z, y, x = (
            start + info.voxel_um * np.arange(length)
            for start, length in zip(self._origin_um(fact), info.shape, strict=True)
        )
        return z, y, x

    def _missing(self, what: str, stage: str) -> NotThereError:
        failure = self.facts.failure
        why = f"it failed in {failure.stage}: {failure.error}" if failure else f"wait for {stage}"
        return NotThereError(f"scan {self.number} of {self._paths.name} has no {what}; {why}")


def _origin_um(transform: TransformReady, voxel_um: float) -> tuple[float, float, float]:
    """Place of the first voxel: y counts from the outer face of the stationary electrode."""
    roi = transform.roi
    return (
        roi.z0 * voxel_um,
        (roi.y0 - transform.y_outer_px) * voxel_um,
        roi.x0 * voxel_um,
    )


def _with_um(dataset: "xr.Dataset") -> "xr.Dataset":
    for name in dataset.coords:
        dataset[name].attrs["units"] = "um"
    return dataset


def _xarray() -> Any:  # the module
    try:
        import xarray as xr
    except ImportError as error:
        raise MissingExtraError(
            "xarray is not installed; pip install 'lithoscope[notebook]'"
        ) from error
    return xr
