"""Record a foreign 0MQ stream as it came, pass it on, and play it again."""

from lithoscope_services.sources.tap.play import Playback, play
from lithoscope_services.sources.tap.record import Recording, record
from lithoscope_services.sources.tap.recording import (
    RecordedMessage,
    RecordingHeader,
    RecordingReader,
    RecordingWriter,
    parts_of,
)
from lithoscope_services.sources.tap.relay import Pattern, TapCounts, relay_address

__all__ = [
    "Pattern",
    "Playback",
    "RecordedMessage",
    "Recording",
    "RecordingHeader",
    "RecordingReader",
    "RecordingWriter",
    "TapCounts",
    "parts_of",
    "play",
    "record",
    "relay_address",
]
