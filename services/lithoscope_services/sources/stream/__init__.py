"""Foreign streams of frames, whatever their format: join them into scans and feed ingest."""

from lithoscope_services.sources.stream.events import ScanBegun, ScanEnded, ScanFrame
from lithoscope_services.sources.stream.frame import (
    Attribute,
    Receiver,
    SeriesEnd,
    StreamFrame,
    StreamMessage,
)
from lithoscope_services.sources.stream.joiner import Joiner

__all__ = [
    "Attribute",
    "Joiner",
    "Receiver",
    "ScanBegun",
    "ScanEnded",
    "ScanFrame",
    "SeriesEnd",
    "StreamFrame",
    "StreamMessage",
]
