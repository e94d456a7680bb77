"""Images of areaDetector and others over EPICS PV Access: the normative type NTNDArray."""

from lithoscope_services.sources.pva.decoder import decode_ndarray
from lithoscope_services.sources.pva.receiver import PvaReceiver

__all__ = ["PvaReceiver", "decode_ndarray"]
