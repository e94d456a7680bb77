"""Listen to an EPICS channel of images."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from lithoscope_services.errors import SourceError
from lithoscope_services.listen.arrays import said_by_attributes
from lithoscope_services.listen.attributes import scan_values
from lithoscope_services.listen.finding import COUNTS, VOXEL, SourceFinding
from lithoscope_services.listen.heard import HeardFrames
from lithoscope_services.listen.place import Place
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sources.pva.channels import Channels
from lithoscope_services.sources.pva.decoder import decode_ndarray
from lithoscope_services.sources.pva.receiver import NTNDARRAY

WAIT_S = 0.2
_DIALECT = "EPICS NTNDArray"


def listen_pva(
    place: Place, for_s: float, look: Callable[[], None] = lambda: None
) -> SourceFinding:
    """Follow a channel for a while.

    Parameters
    ----------
    place
        With the channel and who is asked for it.
    for_s
        How long.
    look
        Called again and again; may raise to stop.
    """
    where = _where(place)
    settings = SourceSettings.model_validate_json(_json_settings(place, where))
    heard, refused, type_id = HeardFrames(), [], ""
    wake = threading.Event()
    begun_s = time.monotonic()
    with Channels([place.channel], settings, wake) as channels:
        while (left_s := for_s - (time.monotonic() - begun_s)) > 0:
            look()
            wake.clear()
            update = channels.take(place.channel)
            if update is None:
                wake.wait(min(WAIT_S, left_s))
                continue
            type_id = update.type_id
            if not type_id.startswith(NTNDARRAY):
                break
            if update.is_standing and update.fields.get("value") is None:
                continue
            try:
                heard.take(decode_ndarray(update.fields), time.monotonic())
            except SourceError as error:
                refused.append(str(error))
    seconds = time.monotonic() - begun_s
    if not heard.n_frames:
        return _unsupported(place, type_id, refused, seconds)
    return _finding(place, where, heard, refused, seconds)


def _finding(
    place: Place, where: dict[str, Any], heard: HeardFrames, refused: list[str], seconds: float
) -> SourceFinding:
    kind_from, theta_from, settings, needs, notes = said_by_attributes(heard, {})
    settings |= scan_values(heard.attributes)
    needs += (COUNTS,) if "scan.voxel_size_um" in settings else (COUNTS, VOXEL)
    if "source.kind_attribute" not in settings:
        notes += (
            "a PV that names the kind, as tomoscan has one: --set source.kind_channel=PV --set "
            "source.kind_from=frame",
        )
    if settings["source.theta_from"] == "formula":
        notes += (
            "a PV with the angles, as tomoscan's StreamTheta: --set source.theta_channel=PV --set "
            "source.theta_from=frame",
        )
    if heard.rate_hz is None:
        notes += ("one image stood there and none was taken meanwhile",)
    if refused:
        notes += (f"{len(refused)} images were refused: {refused[-1]}",)
    name = settings.get("source.theta_attribute")
    values = [each.get(name) for each in heard.attributes] if isinstance(name, str) else []
    thetas = [float(value) if isinstance(value, int | float) else None for value in values]
    return SourceFinding(
        place=place.text,
        dialect=_DIALECT,
        frame_shape=heard.shape,
        dtype=heard.dtype,
        n_heard=heard.n_frames,
        seconds=seconds,
        rate_hz=heard.rate_hz,
        mb_s=heard.mb_s,
        kind_from=kind_from,
        theta_from=theta_from,
        settings={"source.kind": "pva", "source.channel": place.channel, **where, **settings},
        needs=needs,
        notes=notes + heard.shape_notes,
        checks=heard.angle_checks(thetas),
    )


def _unsupported(place: Place, type_id: str, refused: list[str], seconds: float) -> SourceFinding:
    dialect = f"EPICS {type_id}" if type_id else "nothing was heard"
    if refused:
        what = f"no image of it could be taken: {refused[-1]}"
    elif type_id.startswith(NTNDARRAY):
        what = "no image has been taken since its server began; take one and listen again"
    elif type_id:
        what = "this is no channel of images; give the PV of the PVA plugin, such as …:Pva1:Image"
    else:
        what = (
            f"no server has a channel {place.channel}; check its name, or name the host: "
            "pva://HOST/CHANNEL"
        )
    return SourceFinding(
        place=place.text, dialect=dialect, unsupported=what, seconds=seconds, n_heard=len(refused)
    )


def _where(place: Place) -> dict[str, Any]:
    """Give who is asked for the channel, by key of the settings."""
    if not place.host:
        return {}
    return {
        "source.pva_servers" if ":" in place.host else "source.pva_addresses": [place.host],
    }


def _json_settings(place: Place, where: dict[str, Any]) -> str:
    table = {key.partition(".")[2]: value for key, value in where.items()}
    # What a scan is does not matter here, but a table of settings must be whole.
    whole = {"kind_from": "order", "numbers": "running", "n_projections": 1}
    return json.dumps({"kind": "pva", "channel": place.channel, **whole, **table})
