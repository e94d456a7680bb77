"""What cyclers write: files of several makers to one record, and records into experiments."""

from lithoscope_services.electrochemistry.pulses import find_pulses
from lithoscope_services.electrochemistry.read import read_cycler
from lithoscope_services.electrochemistry.record import CyclerRecord, Gap, find_gaps
from lithoscope_services.electrochemistry.samples import store_samples

__all__ = ["CyclerRecord", "Gap", "find_gaps", "find_pulses", "read_cycler", "store_samples"]
