"""How the beam and the pixels of the simulated detector deviate from ideal ones."""

from dataclasses import dataclass, fields

from lithoscope_pipeline.errors import ParameterError


@dataclass(frozen=True, slots=True, kw_only=True)
class BeamParameters:
    """The open beam: what structure it has, and how it moves and fades. 0 switches each off.

    Parameters
    ----------
    stripe
        Standard deviation of the horizontal stripes of the monochromator, relative.
    grain
        Standard deviation of the grain, relative.
    shift_px
        Standard deviation, over scans, of where stripes and grain stand, vertically; across they
        move by a quarter of it. Flats see it too.
    shift_within_px
        The same from the flats before a scan to its end, which no flat before it can know.
    decay
        Share of the intensity that is lost from the beginning of a scan to its end.
    change
        Standard deviation of the intensity over scans, relative.
    flicker
        Standard deviation of the intensity over frames, relative.
    """

    stripe: float = 0.03
    grain: float = 0.03
    shift_px: float = 0.5
    shift_within_px: float = 0.02
    decay: float = 0.005
    change: float = 0.02
    flicker: float = 0.0005

    def __post_init__(self) -> None:
        _refuse_negative(self)
        if self.decay >= 1.0:
            raise ParameterError(f"decay is {self.decay}; a share below 1 is needed")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseParameters:
    """From photons to grey levels: blur, correlated noise and bad pixels. 0 switches each off.

    Parameters
    ----------
    psf_fwhm_px
        Full width at half maximum of the scintillator's blur, a Gaussian.
    noise_fwhm_px
        Full width at half maximum of the light spread that correlates the noise of neighbouring
        pixels; its variance stays that of the photons. 0 for white noise.
    gain_error
        Standard deviation, over pixels, of how much the gain behind the sample differs from that
        in flats: each error is a ring.
    bad_pixel_share
        Share of the pixels whose gain errs tenfold.
    dead_pixel_share
        Share of the pixels that always read the dark level.
    n_dead_columns
        Whole columns that do.
    zingers_per_megapixel
        Mean number of direct hits in a million pixels of a frame.
    """

    psf_fwhm_px: float = 1.0
    noise_fwhm_px: float = 0.0
    gain_error: float = 1.5e-4
    bad_pixel_share: float = 1.0e-3
    dead_pixel_share: float = 1.0e-4
    n_dead_columns: int = 0
    zingers_per_megapixel: float = 0.0

    def __post_init__(self) -> None:
        _refuse_negative(self)
        if self.bad_pixel_share > 1.0 or self.dead_pixel_share > 0.5:
            raise ParameterError(
                f"bad_pixel_share is {self.bad_pixel_share} and dead_pixel_share "
                f"{self.dead_pixel_share}; at most 1 and 0.5 are possible"
            )


def _refuse_negative(parameters: BeamParameters | ResponseParameters) -> None:
    for field in fields(parameters):
        value = getattr(parameters, field.name)
        if not value >= 0:
            raise ParameterError(f"{field.name} is {value}; it must not be negative")
