"""The table ``[source]``: where frames come from, and how a foreign stream is read."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from lithoscope_services.settings.table import Table

Count = Annotated[int, Field(ge=0, lt=10**6)]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.\-]{1,253}(:[0-9]{1,5})?$")]
_TCP = re.compile(r"tcp://(?P<host>\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.\-]+):(?P<port>[0-9]{1,5})")
_EVERY_HOST = ("0.0.0.0", "[::]")


def sender_address(address: str) -> str:
    """Give back the address of one sender: streams are connected to, never bound.

    Raises
    ------
    ValueError
        If it is none.
    """
    if address.startswith("ipc:///") and len(address) <= 6 + 107:
        return address
    match = _TCP.fullmatch(address)
    if match is None or match["host"] in _EVERY_HOST or not 1 <= int(match["port"]) <= 65535:
        raise ValueError(
            f"{address!r} is no tcp://HOST:PORT of one sender and no ipc:///absolute/path; "
            "streams are connected to, never bound"
        )
    return address


class SourceSettings(Table):
    """Where frames come from: the frame link, or a stream of a foreign sender that we join."""

    kind: Annotated[
        Literal["frame_link", "array-1.0", "pva", "dectris", "bluesky", "folder"],
        Field(
            description="frame_link waits for sources; array-1.0 and dectris connect to a 0MQ "
            "stream, pva to an EPICS channel, bluesky to a proxy of documents; folder watches for "
            "finished files"
        ),
    ] = "frame_link"
    address: Annotated[
        str | None,
        Field(description="Stream that is connected to: tcp://HOST:PORT or ipc:///path"),
    ] = None
    channel: Annotated[
        str | None,
        Field(
            max_length=128,
            description="EPICS PV of the images, such as 13SIM1:Pva1:Image; or the threshold of a "
            "DECTRIS detector, left out the first; or the data key of Bluesky's images where "
            "several have images",
        ),
    ] = None
    kind_channel: Annotated[
        str | None,
        Field(
            max_length=128,
            description="EPICS PV that names the kind while its frames are taken, such as "
            "tomoscan's FrameType or HDF5Location; left out, kind_from tells it",
        ),
    ] = None
    theta_channel: Annotated[
        str | None,
        Field(
            max_length=128,
            description="EPICS PV with the angles of all projections of a scan (tomoscan's "
            "StreamTheta) or with the angle of the newest one, degrees; for theta_from = frame",
        ),
    ] = None
    pva_addresses: Annotated[
        tuple[Host, ...],
        Field(
            description="Hosts asked for EPICS channels by UDP; left out with pva_servers, all "
            "on this machine's networks"
        ),
    ] = ()
    pva_servers: Annotated[
        tuple[Host, ...],
        Field(
            description="HOST:PORT of EPICS servers of p4p or PVXS asked by TCP; those of "
            "areaDetector need pva_addresses"
        ),
    ] = ()
    queue_frames: Annotated[
        int,
        Field(
            ge=2,
            le=4096,
            description="Frames that wait when this machine is late with an EPICS channel; more "
            "are lost. 64 frames of 2560 × 2160 in 16 bit are 0.7 GB",
        ),
    ] = 64
    documents: Annotated[
        Literal["json", "msgpack"],
        Field(description="How the publisher of Bluesky documents writes them; never pickle"),
    ] = "msgpack"
    prefix: Annotated[
        str,
        Field(
            pattern=r"^[!-~]{0,64}$",
            description="Prefix of the publishers of Bluesky documents; empty listens to all",
        ),
    ] = ""
    folder: Annotated[
        str | None,
        Field(
            description="Folder into which finished scans are written, one a file; for bluesky "
            "the one below which detectors write: no other file is read"
        ),
    ] = None
    settled_s: Annotated[
        float,
        Field(
            ge=0,
            le=3600,
            description="A file in the folder is taken when it has not changed for this long, s; "
            "longer than its writer ever pauses or waits before it adds something",
        ),
    ] = 5.0
    pattern: Annotated[
        Literal["pull", "sub"],
        Field(
            description="pull from a PUSH sender, which waits; sub to a PUB sender, which drops"
        ),
    ] = "pull"
    shape_order: Annotated[
        Literal["rows_first", "columns_first"],
        Field(description="Order of shape: rows_first by the standard, columns_first by ADZMQ"),
    ] = "rows_first"
    numbers: Annotated[
        Literal["per_kind", "per_scan", "running"],
        Field(
            description="Where frame numbers start anew: with each kind (GigaFRoST), with each "
            "scan, or never (areaDetector's uniqueId)"
        ),
    ] = "per_kind"
    first_frame: Annotated[
        int, Field(ge=0, le=1, description="First frame number: 0 by the standard, 1 from ADZMQ")
    ] = 0
    wraps_after: Annotated[
        int | None,
        Field(ge=255, description="Number after which 0 follows, such as 65535; left out, none"),
    ] = None
    series_is: Annotated[
        Literal["scan", "part"],
        Field(
            description="What a DECTRIS series is: a whole scan, or the darks, the flats or the "
            "projections of one"
        ),
    ] = "scan"
    kind_from: Annotated[
        Literal["frame", "attribute", "order"],
        Field(
            description="What tells darks, flats and projections apart: the frame itself "
            "(scan_index of GigaFRoST, user data of DECTRIS), an NDAttribute, or the counts below "
            "in their order"
        ),
    ] = "frame"
    kind_attribute: Annotated[
        str, Field(max_length=64, description="NDAttribute with the kind of a frame")
    ] = "FrameType"
    n_darks: Annotated[Count, Field(description="Darks before the projections of a scan")] = 0
    n_flats: Annotated[Count, Field(description="Flats before the projections of a scan")] = 0
    n_projections: Annotated[
        Count, Field(description="Projections of a scan; a stream does not say it")
    ] = 0
    n_flats_after: Annotated[Count, Field(description="Flats after the projections")] = 0
    n_darks_after: Annotated[Count, Field(description="Darks after the flats after")] = 0
    theta_from: Annotated[
        Literal["formula", "table", "attribute", "frame"],
        Field(
            description="Where angles are from: start and step, a file, an NDAttribute, or the "
            "frame itself (goniometer of DECTRIS)"
        ),
    ] = "formula"
    theta_start_deg: Annotated[
        float, Field(ge=-3600, le=3600, description="Angle of the first projection, degrees")
    ] = 0.0
    theta_step_deg: Annotated[
        float | None,
        Field(ge=-360, le=360, description="Step, degrees; left out, 180 / n_projections"),
    ] = None
    theta_file: Annotated[
        str | None, Field(description="Text file with an angle a line, degrees, for table")
    ] = None
    theta_attribute: Annotated[
        str, Field(max_length=64, description="NDAttribute with the angle in degrees")
    ] = "SampleRotary"
    detector_file: Annotated[
        str | None,
        Field(
            description="DXchange or NXtomo file that the detector writes itself, from which "
            "frames are fetched that the stream lost; {experiment} and {scan} stand in it, "
            "{scan:03d} with leading zeros"
        ),
    ] = None
    detector_file_wait_s: Annotated[
        float,
        Field(
            ge=0,
            le=600,
            description="How long its writer may take to close it after the last frame, s",
        ),
    ] = 10.0
    silence_s: Annotated[
        float,
        Field(
            gt=0,
            le=86_400,
            description="Silence after which a scan is closed, s; shorter than scan_timeout_s",
        ),
    ] = 60.0

    @field_validator("address")
    @classmethod
    def _is_one_place(cls, address: str | None) -> str | None:
        return None if address is None else sender_address(address)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.kind == "frame_link":
            return self
        if self.kind == "folder":
            if self.folder is None:
                raise ValueError("folder is missing; give the one that scans are written into")
            return self
        if self.kind == "pva":
            if self.channel is None:
                raise ValueError("channel is missing; give the PV of the images")
        elif self.address is None:
            raise ValueError("address is missing; give the tcp://HOST:PORT of the sender")
        if self.kind == "bluesky":
            if self.folder is None:
                raise ValueError("folder is missing; give the one below which detectors write")
            return self
        if self.n_projections == 0:
            raise ValueError("n_projections is missing; a stream does not say how many come")
        if self.kind == "dectris" and (self.series_is == "scan") == (self.numbers == "per_kind"):
            raise ValueError(
                'a DECTRIS detector counts images of a series: give numbers = "per_scan" with '
                'series_is = "scan", or "per_kind" with "part"'
            )
        if self.kind_from == "order" and self.numbers == "per_kind":
            raise ValueError(
                'numbers = "per_kind" cannot tell kinds by their order; give numbers = '
                '"per_scan" or "running", or another kind_from'
            )
        self._check_pva()
        if self.theta_from == "table" and self.theta_file is None:
            raise ValueError('theta_file is missing for theta_from = "table"')
        return self

    @field_validator("detector_file")
    @classmethod
    def _is_template(cls, template: str | None) -> str | None:
        if template is None:
            return None
        try:
            names = (
                template.format(experiment="e", scan=0),
                template.format(experiment="e", scan=1),
            )
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            raise ValueError(
                f"{template!r} is no path with {{experiment}} and {{scan}} in it ({error})"
            ) from error
        if names[0] == names[1] or not names[0].startswith("/"):
            raise ValueError(f"{template!r} must be absolute and have {{scan}} in it")
        return template

    def _check_pva(self) -> None:
        if self.kind != "pva":
            return
        if self.kind_from == "frame" and self.kind_channel is None:
            raise ValueError(
                "kind_channel is missing; an EPICS image does not say its kind: give the PV that "
                'does, kind_from = "attribute", or "order"'
            )
        if self.theta_from == "frame" and self.theta_channel is None:
            raise ValueError('theta_channel is missing for theta_from = "frame"')
