"""The features of the simulated cell, each as a cell with it, a cell without, and a view."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import feature_views as views

from lithoscope_pipeline.geometry import FloatImage
from lithoscope_pipeline.phantom import (
    SIZES,
    CellParameters,
    DetectorParameters,
    SimulatedCell,
    make_cell,
)

SEED, N_SCANS = 5, 3
PRISTINE, CHARGED, DISCHARGED = 0, 1, 2
DETECTOR = SIZES["small"]
CELL = CellParameters(seed=SEED)
STILL = CellParameters(seed=SEED, has_noise=False)

CLOSE = 0.0, 1.0, 0.35, 0.65  # a third of a projection

View = Callable[[SimulatedCell, int], FloatImage]


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A feature: how it is switched on and off, and how it is looked at.

    Parameters
    ----------
    name, shows
        Name of the picture, and one line about it.
    with_it, without_it
        The cells.
    scan
        Scan that is looked at.
    view, truth
        What is shown of either cell, and of the first as the truth.
    crop
        Part of the image that is shown, as shares: (top, bottom, left, right).
    """

    name: str
    shows: str
    with_it: SimulatedCell
    without_it: SimulatedCell
    scan: int = PRISTINE
    view: View = views.slice_of_lines
    truth: View = views.object_slice
    crop: tuple[float, float, float, float] = (0.0, 1.0, 0.0, 1.0)


def features() -> list[Feature]:
    """Return all features in the order of the page."""
    return [*_structure(), *_optics(), *_lithium(), *_detector(), *_faults()]


def _made(cell: CellParameters = STILL, detector: DetectorParameters = DETECTOR) -> SimulatedCell:
    return make_cell("small", seed=SEED, n_scans=N_SCANS, cell=cell, detector=detector)


def _structure() -> list[Feature]:
    """Return what surrounds the electrodes."""

    def one(name: str, shows: str, **off: float) -> Feature:
        without = replace(STILL, structure=replace(STILL.structure, **off))
        return Feature(name=name, shows=shows, with_it=_made(), without_it=_made(without))

    small = replace(STILL, structure=replace(STILL.structure, is_inside_field=True))
    return [
        replace(
            one(
                "foil",
                "Aluminium foil outside the field moves the grey levels in it",
                foil_thickness_um=0.0,
            ),
            truth=views.whole_cell,
        ),
        replace(
            one("tabs", "Tabs at the ends of the electrodes do", tab_thickness_um=0.0),
            truth=views.whole_cell,
        ),
        replace(
            one("shim", "So does the shim around the active area", shim_window_share=1.0),
            truth=views.whole_cell,
        ),
        replace(
            one("small_cell", "A cell inside the field, left out by default"),
            with_it=_made(small),
        ),
        one("membrane_interface", "The gap between the two membranes", interface_um=0.0),
        one("particles", "Particles in the membranes", particle_spacing_um=0.0),
        one("impurities", "Impurities in pouches and electrodes", impurity_spacing_um=0.0),
    ]


def _optics() -> list[Feature]:
    def one(name: str, shows: str, view: View, scan: int, **off: float) -> Feature:
        without = replace(STILL, optics=replace(STILL.optics, **off))
        return Feature(
            name=name,
            shows=shows,
            with_it=_made(),
            without_it=_made(without),
            view=view,
            scan=scan,
        )

    return [
        one(
            "phase_fringes",
            "Fringes, not taken back",
            views.fringed_slice,
            CHARGED,
            distance_mm=0.0,
        ),
        one(
            "grey_drift",
            "Attenuation of a scan against scan 0",
            views.slice_of_lines,
            CHARGED,
            grey_drift=0.0,
        ),
        one(
            "motion",
            "The sample moves within a scan",
            views.slice_of_lines,
            CHARGED,
            motion_px=0.0,
        ),
    ]


def _lithium() -> list[Feature]:
    growth = STILL.growth
    pits, dendrites = growth.pits, growth.dendrites

    def without(name: str, shows: str, scan: int, **changes: object) -> Feature:
        off = replace(STILL, growth=replace(growth, **changes))
        return Feature(name=name, shows=shows, with_it=_made(), without_it=_made(off), scan=scan)

    bridged = replace(STILL, growth=replace(growth, bridge="inside"))
    return [
        without(
            "pits",
            "Pits of the stripping electrode",
            CHARGED,
            pits=replace(pits, depth_um=0.0, bowl_depth_um=0.0),
        ),
        without(
            "voids",
            "Voids under redeposited lithium",
            DISCHARGED,
            pits=replace(pits, filled_share=1.0),
        ),
        without(
            "lifted", "Voids under the deposited layer", CHARGED, pits=replace(pits, lift_um=0.0)
        ),
        without(
            "branches",
            "Branches of dendrites",
            CHARGED,
            dendrites=replace(dendrites, n_branches=0),
        ),
        without(
            "detached",
            "Dendrites without roots",
            DISCHARGED,
            dendrites=replace(dendrites, dead_root_um=0.0),
        ),
        without(
            "texture",
            "Texture of plated lithium",
            CHARGED,
            porosity=replace(growth.porosity, texture=0.0),
        ),
        Feature(
            name="bridge",
            shows="A bridge inside the view, left out by default",
            with_it=_made(bridged),
            without_it=_made(),
            scan=CHARGED,
        ),
    ]


def _detector() -> list[Feature]:
    def one(
        name: str, shows: str, view: View, detector: DetectorParameters, **more: object
    ) -> Feature:
        return replace(
            Feature(
                name=name,
                shows=shows,
                with_it=_made(CELL, detector),
                without_it=_made(CELL),
                view=view,
            ),
            **more,
        )

    response = DETECTOR.response
    ideal = replace(response, gain_error=0.0, bad_pixel_share=0.0, dead_pixel_share=0.0)
    rings = replace(response, gain_error=2.0e-3)
    frames = _made(CELL, replace(DETECTOR, response=ideal))
    flat = replace(DETECTOR, beam=replace(DETECTOR.beam, stripe=0.0, grain=0.0))
    return [
        replace(
            one("noise", "Photon noise", views.slice_of_frames, DETECTOR),
            without_it=_made(STILL),
        ),
        replace(
            one(
                "rings",
                "Gain errors, ten times the default",
                views.slice_of_frames,
                replace(DETECTOR, response=rings),
            ),
            without_it=frames,
        ),
        replace(
            one(
                "flats",
                "Structure of the beam",
                views.flat_frame,
                DETECTOR,
                truth=views.flat_frame,
            ),
            without_it=_made(CELL, flat),
        ),
        one(
            "drifting_flats",
            "The beam moves by 0.5 px after the flats: the last projection, corrected",
            views.last_transmission,
            replace(DETECTOR, beam=replace(DETECTOR.beam, shift_within_px=0.5)),
            truth=views.last_lines,
            crop=CLOSE,
        ),
        one(
            "zingers",
            "Direct hits, 500 in a megapixel: a projection, corrected",
            views.corrected_face_on,
            replace(DETECTOR, response=replace(response, zingers_per_megapixel=500.0)),
            truth=views.face_on_lines,
            crop=CLOSE,
        ),
        one(
            "dead_columns",
            "Two dead columns: a projection as it comes",
            views.face_on_frame,
            replace(DETECTOR, response=replace(response, n_dead_columns=2)),
            truth=views.face_on_lines,
        ),
    ]


def _faults() -> list[Feature]:
    def one(name: str, shows: str, **faults: float) -> Feature:
        detector = replace(DETECTOR, faults=replace(DETECTOR.faults, **faults))
        return Feature(
            name=name,
            shows=shows,
            with_it=_made(CELL, detector),
            without_it=_made(CELL),
            view=views.sinogram_of_frames,
            truth=views.sinogram_of_lines,
        )

    tilt = replace(DETECTOR, acquisition=replace(DETECTOR.acquisition, axis_tilt_deg=2.0))
    return [
        one("shutter", "Shutter closed for a tenth of the scan", shutter_closed_share=0.1),
        one("beam_down", "Beam down by a quarter for a fifth of it", beam_down_share=0.2),
        Feature(
            name="tilt",
            shows="Rotation axis tilted by 2 degrees: 4 degrees from edge-on, without noise",
            with_it=_made(STILL, tilt),
            without_it=_made(STILL),
            view=views.oblique_lines,
            truth=views.oblique_upright,
        ),
    ]
