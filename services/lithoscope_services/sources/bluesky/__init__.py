"""Bluesky runs as a source: their documents over 0MQ or from within, their frames from files."""

from lithoscope_services.sources.bluesky.callback import LithoscopeCallback
from lithoscope_services.sources.bluesky.decoder import (
    Document,
    check_document,
    decode_document,
)
from lithoscope_services.sources.bluesky.source import run_bluesky_source

__all__ = [
    "Document",
    "LithoscopeCallback",
    "check_document",
    "decode_document",
    "run_bluesky_source",
]
