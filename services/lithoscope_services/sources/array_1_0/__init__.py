"""Frames that foreign senders stream as array-1.0: two 0MQ parts, a JSON header and raw pixels."""

from lithoscope_services.sources.array_1_0.decoder import ArrayFrame, decode_array
from lithoscope_services.sources.array_1_0.joiner import Joiner, ScanBegun, ScanEnded, ScanFrame

__all__ = ["ArrayFrame", "Joiner", "ScanBegun", "ScanEnded", "ScanFrame", "decode_array"]
