"""The table of the segment stage."""

from typing import Annotated, Literal

from pydantic import Field

from lithoscope_services.settings.table import Table


class SegmentSettings(Table):
    """How materials are told apart."""

    method: Annotated[
        Literal["network", "layers"],
        Field(
            description="network: a trained network tells all classes apart. layers: thresholds "
            "and the known order of layers, no pits and no voids"
        ),
    ] = "network"
    model: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1000,
            description="Network: the name of one that comes with Lithoscope, or the folder of a "
            "trained one",
        ),
    ] = "stream-unet"
    engine: Annotated[
        Literal["auto", "tensorrt", "onnxruntime-cuda", "openvino", "onnxruntime", "torch"],
        Field(description="What runs the network; auto is the fastest that works here"),
    ] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "float16", "bfloat16"],
        Field(
            description="Of the arithmetic; auto is float16 on a GPU and float32 on processors, "
            "where fewer bits change labels. What is set must give the labels of float32"
        ),
    ] = "auto"
    n_threads: Annotated[
        int,
        Field(
            ge=0, le=1024, description="Threads on the processor; 0 is all. Labels are the same"
        ),
    ] = 0
    earlier_scans: Annotated[
        bool,
        Field(description="Whether the network is shown the scan before and the first one"),
    ] = True
    probabilities: Annotated[
        bool,
        Field(
            description="Whether the probability of each class is stored too, in 255ths: seven "
            "bytes a voxel, for those who correct labels"
        ),
    ] = False
    polarity: Annotated[
        Literal["denser_is_brighter"],
        Field(description="Grey scale of the volumes; a mismatch is refused"),
    ] = "denser_is_brighter"
