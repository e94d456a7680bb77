"""Readings of a cycler as events of Bluesky."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from bluesky.protocols import PartialEventPage
from event_model import DataKey

from lithoscope_services.beamline.cycler_backend import CyclerSample
from lithoscope_services.beamline.metadata import SAMPLE_KEYS

UNITS: Final[Mapping[str, str]] = MappingProxyType(
    {"time_s": "s", "potential_V": "V", "current_mA": "mA", "charge_mAh": "mAh"}
)
#: About 150 kB as JSON.
PAGE_SAMPLES: Final = 1000


def describe_samples(device: str) -> dict[str, DataKey]:
    """Describe the events that hold the readings of a device."""
    return {
        f"{device}-{key}": DataKey(
            source=f"soft://{device}-{key}",
            dtype="number",
            dtype_numpy="<f8",
            shape=[],
            units=UNITS[key],
        )
        for key in SAMPLE_KEYS
    }


def sample_pages(device: str, samples: Sequence[CyclerSample]) -> Iterator[PartialEventPage]:
    """Put readings into pages, one event a reading, at most ``PAGE_SAMPLES`` a page."""
    for begin in range(0, len(samples), PAGE_SAMPLES):
        part = samples[begin : begin + PAGE_SAMPLES]
        times_s = [sample.time_s for sample in part]
        names = {key: f"{device}-{key}" for key in SAMPLE_KEYS}
        yield PartialEventPage(
            data={name: [getattr(s, key) for s in part] for key, name in names.items()},
            timestamps=dict.fromkeys(names.values(), times_s),
            time=times_s,
        )
