"""Rings: what stays in the same column of the detector over all angles is not of the sample.

``median`` [1]_ and ``titarenko`` [2]_ take one constant off each column, for errors that are the
same at all angles: flats that are noisy, gains that changed since. They can be taken off slices
that were begun before they were known (`Stripes`). ``sorting`` [3]_ takes a median
over neighbouring columns of all values of one rank, for pixels whose error depends on how bright
it is. ``wavelet`` [4]_ damps what is fine across columns and slow along angles. All of them also
see as a ring what is round about the axis in the sample.

References
----------
.. [1] M. Boin and A. Haibel, Opt. Express 14, 12071 (2006), with a median over angles.
   doi:10.1364/OE.14.012071
.. [2] S. Titarenko, P. J. Withers and A. Yagola, Appl. Math. Lett. 23, 1489 (2010).
   doi:10.1016/j.aml.2010.08.022
.. [3] N. T. Vo, R. C. Atwood and M. Drakopoulos, Opt. Express 26, 28396 (2018), algorithm 3.
   doi:10.1364/OE.26.028396
.. [4] B. Münch, P. Trtik, F. Marone and M. Stampanoni, Opt. Express 17, 8567 (2009).
   doi:10.1364/OE.17.008567
"""

import numpy as np

from lithoscope_pipeline.correct.correction import RingMethod
from lithoscope_pipeline.correct.sorting import smooth_by_rank
from lithoscope_pipeline.correct.stripes import find_stripes
from lithoscope_pipeline.correct.wavelet import damp_stripes
from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.geometry import FloatStack


def remove_rings(
    attenuation: FloatStack, *, method: RingMethod, out: FloatStack | None = None
) -> FloatStack:
    """Take stripes off sinograms, each row by itself.

    Parameters
    ----------
    attenuation
        Line integrals of a whole scan, shape (n_angles, n_rows, n_columns), finite.
    method
        How.
    out
        Where the result goes: ``attenuation`` itself, say, for a slab fills much of the memory.

    Returns
    -------
    FloatStack
        Same shape, float32: ``out`` if it is given; the same array for ``none``.

    Raises
    ------
    ShapeError
        If ``attenuation`` is no stack of images.
    """
    if attenuation.ndim != 3 or 0 in attenuation.shape:
        raise ShapeError(
            f"attenuation of shape {attenuation.shape} given, (angle, row, column) is needed"
        )
    if method == "none":
        return attenuation
    result = np.empty(attenuation.shape, np.float32) if out is None else out
    stripes = find_stripes(attenuation, method=method)
    if stripes is not None:
        return np.subtract(attenuation, stripes.image, out=result)
    clean = smooth_by_rank if method == "sorting" else damp_stripes
    for row in range(attenuation.shape[1]):
        result[:, row] = clean(attenuation[:, row])
    return result
