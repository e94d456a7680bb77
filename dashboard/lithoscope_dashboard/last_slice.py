"""The middle slice of the newest scan that has labels, as two pictures on each other. Pure."""

from typing import Any

from dash import html

from lithoscope_dashboard.model import ExperimentState

Component = Any  # Dash ships no types


def last_slice(state: ExperimentState | None, *, px: int = 512) -> list[Component]:
    """Show the newest scan with labels; grey values alone until there is one.

    Parameters
    ----------
    state
        The experiment.
    px
        Longest side of the picture that is asked for.
    """
    scans = () if state is None else state.in_order
    pictures = [(scan.scan, scan.picture) for scan in scans if scan.picture is not None]
    labelled = [each for each in pictures if each[1].label_name is not None]
    if state is None or not pictures:
        return [html.P("No picture yet.", className="muted", key="none")]
    scan, picture = (labelled or pictures)[-1]
    index = picture.shape[0] // 2
    base = f"/api/v1/slice/{state.name}/{scan}/z/{index}"
    query = f"&px={px}&v={picture.token}"
    text = f"cross-section of scan {scan}, z = {index} of {picture.shape[0]}"
    # Of one key, so that labels never lie on the slice of another scan.
    layers = [html.Img(src=f"{base}.webp?layer=image{query}", alt=text)]
    if picture.label_name is not None:
        layers.append(html.Img(src=f"{base}.png?layer=overlay{query}", alt="", className="over"))
    frame = html.Div(layers, className="last-frame", key=f"{scan}-{picture.token}")
    return [frame, html.Div(text, className="muted small", key="text")]
