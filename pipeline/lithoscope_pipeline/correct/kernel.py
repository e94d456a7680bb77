"""Counts to line integrals in one pass: dark, beam, dead pixels, direct hits, minus log.

Each row of each projection goes through all steps while it lies in the nearest cache, and comes
out the same whatever rows and projections come with it. The logarithm is that of the Cephes
library [1]_, written without branches so that it is computed for many pixels at a time, and with
the same bytes on every processor.

References
----------
.. [1] S. L. Moshier, Methods and Programs for Mathematical Functions (1989); single/logf.c.
"""

from typing import Any

import numba
import numpy as np

_F = np.float32
_ZERO, _ONE = _F(0.0), _F(1.0)
_LARGEST = _F(3.4e38)
_LEAST_BEAM = _F(1.0e-6)
_SQRT_HALF = _F(0.707106781186547524)
_LN2_HIGH, _LN2_LOW = _F(0.693359375), _F(-2.12194440e-4)
_P0, _P1, _P2 = _F(7.0376836292e-2), _F(-1.1514610310e-1), _F(1.1676998740e-1)
_P3, _P4, _P5 = _F(-1.2420140846e-1), _F(1.4249322787e-1), _F(-1.6668057665e-1)
_P6, _P7, _P8 = _F(2.0000714765e-1), _F(-2.4999993993e-1), _F(3.3333331174e-1)
_HALF = _F(0.5)
_EXPONENT_BITS, _EXPONENT_BIAS = np.int32(23), np.int32(126)
_MANTISSA, _HALF_BITS = np.int32(0x007FFFFF), np.int32(0x3F000000)


@numba.njit(cache=True, nogil=True)
def attenuation_of(
    projections: Any,  # Any: numba specialises on the dtype
    dark: Any,
    beams: Any,
    weights: Any,
    dead: Any,
    bridges: Any,
    shares: Any,
    air_columns: int,
    zinger_threshold: Any,
    min_transmission: Any,
    out: Any,
) -> int:
    """Fill ``out`` with line integrals; return how many live pixels were not finite.

    ``beams`` (n_beams, n_rows, n_columns) less dark, are summed with ``weights`` (n_angles,
    n_beams). Pixel ``dead[k] = (row, column)`` lies ``shares[k]`` of the way between the columns
    ``bridges[k]`` of its row; these lie in rising order of rows. All float32 but the counts.
    """
    n_angles, n_rows, n_columns = projections.shape
    n_beams = beams.shape[0]
    beam = np.empty(n_columns, np.float32)
    line = np.empty(n_columns + 4, np.float32)  # two more on either side for their neighbours
    clean = np.empty(n_columns, np.float32)
    inside = line[2 : n_columns + 2]
    n_bad = 0
    for angle in range(n_angles):
        n_dead = 0
        for row in range(n_rows):
            for column in range(n_columns):
                beam[column] = weights[angle, 0] * beams[0, row, column]
            for number in range(1, n_beams):
                weight = weights[angle, number]
                if weight != _ZERO:
                    for column in range(n_columns):
                        beam[column] += weight * beams[number, row, column]
            for column in range(n_columns):
                light = _F(projections[angle, row, column]) - dark[row, column]
                inside[column] = light / max(beam[column], _LEAST_BEAM)
            while n_dead < dead.shape[0] and dead[n_dead, 0] == row:
                left, right = bridges[n_dead, 0], bridges[n_dead, 1]
                share = shares[n_dead]
                inside[dead[n_dead, 1]] = (
                    _ONE if left < 0 else inside[left] * (_ONE - share) + inside[right] * share
                )
                n_dead += 1
            for column in range(n_columns):
                n_bad += not abs(inside[column]) <= _LARGEST
            if air_columns > 0:
                _refer_to_air(inside, air_columns)
            if zinger_threshold > _ZERO and n_columns > 4:
                line[0], line[1] = inside[2], inside[1]
                line[-2], line[-1] = inside[-2], inside[-3]
                _replace_hits(line, zinger_threshold, clean)
                _minus_log(clean, min_transmission, out[angle, row])
            else:
                _minus_log(inside, min_transmission, out[angle, row])
    return n_bad


@numba.njit(cache=True, nogil=True)
def _refer_to_air(line: Any, n_air: int) -> None:
    """Divide a row by the mean of both its borders; one without light there stays."""
    n_columns = line.shape[0]
    total = 0.0
    for column in range(n_air):
        total += line[column] + line[n_columns - 1 - column]
    mean = total / (2 * n_air)
    if mean > 0.0:
        factor = _F(1.0 / mean)
        for column in range(n_columns):
            line[column] *= factor


@numba.njit(cache=True, nogil=True)
def _replace_hits(line: Any, threshold: Any, out: Any) -> None:
    """Give a pixel the second smallest of its four neighbours if it exceeds that by far."""
    for column in range(out.shape[0]):
        a, b = line[column], line[column + 1]
        c, d = line[column + 3], line[column + 4]
        low_ab, high_ab = min(a, b), max(a, b)
        low_cd, high_cd = min(c, d), max(c, d)
        second = min(max(low_ab, low_cd), min(high_ab, high_cd))
        value = line[column + 2]
        out[column] = second if value - second > threshold else value


@numba.njit(cache=True, nogil=True)
def _minus_log(transmission: Any, least: Any, out: Any) -> None:
    """Write ``-log(max(transmission, least))``."""
    for column in range(out.shape[0]):
        out[column] = max(transmission[column], least)
    bits = out.view(np.int32)
    for column in range(out.shape[0]):
        word = bits[column]
        exponent = (word >> _EXPONENT_BITS) - _EXPONENT_BIAS
        mantissa = np.int32((word & _MANTISSA) | _HALF_BITS).view(np.float32)
        is_low = mantissa < _SQRT_HALF
        power = _F(exponent) - (_ONE if is_low else _ZERO)
        x = mantissa + (mantissa if is_low else _ZERO) - _ONE
        square = x * x
        p = ((_P0 * x + _P1) * x + _P2) * x + _P3
        p = (((p * x + _P4) * x + _P5) * x + _P6) * x + _P7
        tail = (p * x + _P8) * x * square + _LN2_LOW * power - _HALF * square
        out[column] = -(x + tail + _LN2_HIGH * power)
