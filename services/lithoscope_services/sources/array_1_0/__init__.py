"""Frames that foreign senders stream as array-1.0: two 0MQ parts, a JSON header and raw pixels."""

from lithoscope_services.sources.array_1_0.decoder import decode_array
from lithoscope_services.sources.array_1_0.receiver import ArrayReceiver

__all__ = ["ArrayReceiver", "decode_array"]
