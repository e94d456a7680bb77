"""Frames that DECTRIS detectors stream as Stream V2: one CBOR map a 0MQ message."""

from lithoscope_services.sources.dectris.decoder import (
    EndMessage,
    ImageMessage,
    StartMessage,
    decode_message,
)
from lithoscope_services.sources.dectris.receiver import STATE, DectrisReceiver
from lithoscope_services.sources.dectris.series import SeriesTracker

__all__ = [
    "STATE",
    "DectrisReceiver",
    "EndMessage",
    "ImageMessage",
    "SeriesTracker",
    "StartMessage",
    "decode_message",
]
