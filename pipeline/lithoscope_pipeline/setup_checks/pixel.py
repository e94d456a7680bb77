"""Whether the size of a pixel is right: by a length that is known, and by who else says it."""

from typing import Final

from lithoscope_pipeline.setup_checks.finding import SetupFinding

_CHECK: Final = "pixel size"
#: A gauge and swelling are off by less; a wrong lens or binning by a factor of two.
_LARGEST_RATIO: Final = 1.3
#: Two sources that say the same say it to some decimals.
_SAME_SHARE: Final = 0.02


def check_pixel_size(
    stack_px: float | None, voxel_um: float, stack_thickness_um: float | None
) -> SetupFinding:
    """Compare the distance of the electrodes' outer faces with what a gauge said.

    Parameters
    ----------
    stack_px
        Distance of the faces in a slice, voxels; None if they were not found.
    voxel_um
        Edge of a voxel that was set up.
    stack_thickness_um
        The same distance by a gauge; None if nobody knows it.

    Returns
    -------
    SetupFinding
        ``wrong`` if they differ by more than a factor of 1.3, with the pixel that would fit.
    """
    if stack_px is None or stack_thickness_um is None:
        what = (
            "the outer faces were not found" if stack_px is None else "no known length to compare"
        )
        advice = "" if stack_px is None else "give experiment.stack_thickness_um, by a gauge"
        return SetupFinding(check=_CHECK, verdict="unknown", text=what, advice=advice)
    found_um = stack_px * voxel_um
    ratio = found_um / stack_thickness_um
    fitting_um = stack_thickness_um / stack_px
    evidence = {
        "stack_um": found_um,
        "stack_thickness_um": stack_thickness_um,
        "ratio": ratio,
        "fitting_voxel_um": fitting_um,
    }
    text = (
        f"with a pixel of {voxel_um:g} µm the outer faces of the electrodes are {found_um:.0f} µm "
        f"apart, the gauge says {stack_thickness_um:.0f} µm"
    )
    if 1 / _LARGEST_RATIO <= ratio <= _LARGEST_RATIO:
        return SetupFinding(check=_CHECK, verdict="right", text=text, evidence=evidence)
    return SetupFinding(
        check=_CHECK,
        verdict="wrong",
        text=f"{text}: {max(ratio, 1 / ratio):.2g} times {'more' if ratio > 1 else 'less'}",
        advice=f"scan.voxel_size_um = {fitting_um:.3g} would fit; look at lens and binning",
        evidence=evidence,
    )


def check_pixel_agreement(set_um: float, said_um: float, who: str) -> SetupFinding:
    """Compare the pixel that was set up with the one that a file or a stream says.

    Parameters
    ----------
    set_um, said_um
        Pixel in the sample by the settings and by the source.
    who
        The source, for the text.
    """
    ratio = set_um / said_um
    evidence = {"set_um": set_um, "said_um": said_um, "ratio": ratio}
    if abs(ratio - 1) <= _SAME_SHARE:
        text = f"{set_um:g} µm, as {who} says"
        return SetupFinding(check=_CHECK, verdict="right", text=text, evidence=evidence)
    return SetupFinding(
        check=_CHECK,
        verdict="wrong",
        text=f"{set_um:g} µm was set up, {who} says {said_um:g} µm",
        advice="find out which is true (lens, binning) and set scan.voxel_size_um to it",
        evidence=evidence,
    )
