"""The loops of registration: smooth, halve, look up and add up, in index order."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatVolume

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Indices = NDArray[np.int64]
Booleans = NDArray[np.bool_]

N_RIGID = 6  # shift (z, y, x), then rotation about (z, y, x)
N_LIFT = 3  # lift along y and its slopes along z and x
N_ALL = N_RIGID + N_LIFT


@njit(cache=True, nogil=True)
def smooth(volume: FloatVolume, taps: Floats) -> FloatVolume:
    """Convolve with a symmetric kernel along all axes; edges repeat their last value.

    Parameters
    ----------
    volume
        Shape (n_z, n_y, n_x), float32.
    taps
        Middle of the kernel and what follows, shape (reach + 1,), float32.

    Returns
    -------
    FloatVolume
        Shape of ``volume``.
    """
    n_z, n_y, n_x = volume.shape
    reach = taps.size - 1
    n_ring = 2 * reach + 1
    ring = np.empty((n_ring, n_y, n_x), np.float32)
    line = np.empty(n_x + 2 * reach, np.float32)
    out = np.empty_like(volume)
    done = 0
    for z in range(n_z):
        while done < n_z and done <= z + reach:
            _smooth_plane(volume[done], taps, line, ring[done % n_ring])
            done += 1
        middle = ring[z % n_ring]
        for y in range(n_y):
            for x in range(n_x):
                out[z, y, x] = taps[0] * middle[y, x]
        for k in range(1, reach + 1):
            below, above = ring[max(z - k, 0) % n_ring], ring[min(z + k, n_z - 1) % n_ring]
            for y in range(n_y):
                for x in range(n_x):
                    out[z, y, x] += taps[k] * (below[y, x] + above[y, x])
    return out


@njit(cache=True, nogil=True)
def _smooth_plane(plane: Floats, taps: Floats, line: Floats, out: Floats) -> None:
    n_y, n_x = plane.shape
    reach = taps.size - 1
    for y in range(n_y):
        for x in range(n_x):
            line[reach + x] = taps[0] * plane[y, x]
        for k in range(1, reach + 1):
            below, above = plane[max(y - k, 0)], plane[min(y + k, n_y - 1)]
            for x in range(n_x):
                line[reach + x] += taps[k] * (below[x] + above[x])
        for k in range(reach):
            line[k] = line[reach]
            line[reach + n_x + k] = line[reach + n_x - 1]
        for x in range(n_x):
            out[y, x] = taps[0] * line[reach + x]
        for k in range(1, reach + 1):
            for x in range(n_x):
                out[y, x] += taps[k] * (line[reach + x - k] + line[reach + x + k])


@njit(cache=True, nogil=True)
def halve(volume: FloatVolume) -> FloatVolume:
    """Average 2 x 2 x 2 voxels; an odd last voxel is left out."""
    n_z, n_y, n_x = volume.shape[0] // 2, volume.shape[1] // 2, volume.shape[2] // 2
    out = np.empty((n_z, n_y, n_x), np.float32)
    eighth = np.float32(0.125)
    for z in range(n_z):
        for y in range(n_y):
            a, b = volume[2 * z, 2 * y], volume[2 * z, 2 * y + 1]
            c, d = volume[2 * z + 1, 2 * y], volume[2 * z + 1, 2 * y + 1]
            for x in range(n_x):
                i, j = 2 * x, 2 * x + 1
                out[z, y, x] = eighth * (
                    ((a[i] + a[j]) + (b[i] + b[j])) + ((c[i] + c[j]) + (d[i] + d[j]))
                )
    return out


@njit(cache=True, nogil=True)
def take_away_line(volume: FloatVolume, offsets: Indices, weights: Floats) -> FloatVolume:
    """Take the weighted mean of the voxels along a line in its slice from each voxel.

    Parameters
    ----------
    volume
        Shape (n_z, n_y, n_x), float32; beyond its edges their last value goes on.
    offsets
        Voxels of the line from the one it is for, along (y, x), shape (n, 2).
    weights
        Of each of them, sum 1, shape (n,).

    Returns
    -------
    FloatVolume
        Shape of ``volume``.
    """
    n_z, n_y, n_x = volume.shape
    out = volume.copy()
    for z in range(n_z):
        for y in range(n_y):
            line = out[z, y]
            for k in range(weights.size):
                row = volume[z, min(max(y + offsets[k, 0], 0), n_y - 1)]
                step, weight = offsets[k, 1], weights[k]
                first, last = min(max(-step, 0), n_x), max(min(n_x - step, n_x), 0)
                for x in range(first):
                    line[x] -= weight * row[0]
                for x in range(first, last):
                    line[x] -= weight * row[x + step]
                for x in range(max(first, last), n_x):
                    line[x] -= weight * row[n_x - 1]
    return out


@njit(cache=True, nogil=True)
def look_up(volume: FloatVolume, index: Indices, grey: Floats, gradients: Floats) -> None:
    """Write the values and central differences at voxels, shape (n, 3); one-sided at edges."""
    last = (volume.shape[0] - 1, volume.shape[1] - 1, volume.shape[2] - 1)
    for i in range(index.shape[0]):
        z, y, x = index[i, 0], index[i, 1], index[i, 2]
        grey[i] = volume[z, y, x]
        a, b = max(z - 1, 0), min(z + 1, last[0])
        gradients[i, 0] = (volume[b, y, x] - volume[a, y, x]) / max(b - a, 1)
        a, b = max(y - 1, 0), min(y + 1, last[1])
        gradients[i, 1] = (volume[z, b, x] - volume[z, a, x]) / max(b - a, 1)
        a, b = max(x - 1, 0), min(x + 1, last[2])
        gradients[i, 2] = (volume[z, y, b] - volume[z, y, a]) / max(b - a, 1)


@njit(cache=True, nogil=True)
def sample(volume: FloatVolume, at: Doubles, seen: Floats, is_inside: Booleans) -> None:
    """Write trilinear values at places in voxels of the volume, shape (n, 3).

    Outside lies what is more than half a voxel from the outermost centres.
    """
    n_z, n_y, n_x = volume.shape
    for i in range(at.shape[0]):
        z, y, x = at[i, 0], at[i, 1], at[i, 2]
        if not (-0.5 <= z <= n_z - 0.5 and -0.5 <= y <= n_y - 0.5 and -0.5 <= x <= n_x - 0.5):
            is_inside[i] = False
            seen[i] = 0.0
            continue
        z, y, x = max(z, 0.0), max(y, 0.0), max(x, 0.0)
        k, j, h = min(int(z), n_z - 1), min(int(y), n_y - 1), min(int(x), n_x - 1)
        k1, j1, h1 = min(k + 1, n_z - 1), min(j + 1, n_y - 1), min(h + 1, n_x - 1)
        fz, fy, fx = np.float32(z - k), np.float32(y - j), np.float32(x - h)
        c00 = volume[k, j, h] + fx * (volume[k, j, h1] - volume[k, j, h])
        c01 = volume[k, j1, h] + fx * (volume[k, j1, h1] - volume[k, j1, h])
        c10 = volume[k1, j, h] + fx * (volume[k1, j, h1] - volume[k1, j, h])
        c11 = volume[k1, j1, h] + fx * (volume[k1, j1, h1] - volume[k1, j1, h])
        c0 = c00 + fy * (c01 - c00)
        c1 = c10 + fy * (c11 - c10)
        seen[i] = c0 + fz * (c1 - c0)
        is_inside[i] = True


@njit(cache=True, nogil=True)
def _spline(share: float, weights: Floats) -> None:
    """Write the four weights of a cubic B-spline at a share of the way between two voxels."""
    rest = 1.0 - share
    weights[0] = rest**3 / 6.0
    weights[1] = 2.0 / 3.0 - share**2 + share**3 / 2.0
    weights[2] = 2.0 / 3.0 - rest**2 + rest**3 / 2.0
    weights[3] = share**3 / 6.0


@njit(cache=True, nogil=True)
def sample_blurred(volume: FloatVolume, at: Doubles, seen: Floats, is_inside: Booleans) -> None:
    """Write values of the cubic B-spline over a volume at places, like `sample`.

    Nothing is undone before: the spline smooths alike wherever a place lies between voxels, which
    a straight line does not. Beyond the edges their last value goes on.
    """
    n_z, n_y, n_x = volume.shape
    weights = np.empty((3, 4), np.float32)
    for i in range(at.shape[0]):
        z, y, x = at[i, 0], at[i, 1], at[i, 2]
        if not (-0.5 <= z <= n_z - 0.5 and -0.5 <= y <= n_y - 0.5 and -0.5 <= x <= n_x - 0.5):
            is_inside[i] = False
            seen[i] = 0.0
            continue
        k, j, h = int(np.floor(z)), int(np.floor(y)), int(np.floor(x))
        _spline(z - k, weights[0])
        _spline(y - j, weights[1])
        _spline(x - h, weights[2])
        h0, h1 = min(max(h - 1, 0), n_x - 1), max(h, 0)
        h2, h3 = min(h + 1, n_x - 1), min(h + 2, n_x - 1)
        w0, w1, w2, w3 = weights[2]
        total = np.float32(0.0)
        for a in range(4):
            plane = volume[min(max(k - 1 + a, 0), n_z - 1)]
            lines = np.float32(0.0)
            for b in range(4):
                row = plane[min(max(j - 1 + b, 0), n_y - 1)]
                line = (w0 * row[h0] + w1 * row[h1]) + (w2 * row[h2] + w3 * row[h3])
                lines += weights[1, b] * line
            total += weights[0, a] * lines
        seen[i] = total
        is_inside[i] = True


@njit(cache=True, nogil=True)
def _fill(
    row: Doubles, z: float, y: float, x: float, gradient: Floats, place: Floats, up: Doubles
) -> None:
    """Write how a grey value changes with shift, rotation and lift."""
    gz, gy, gx = np.float64(gradient[0]), np.float64(gradient[1]), np.float64(gradient[2])
    row[0], row[1], row[2] = gz, gy, gx
    row[3], row[4], row[5] = x * gy - y * gx, z * gx - x * gz, y * gz - z * gy
    rise = up[0] * gz + up[1] * gy + up[2] * gx
    row[6], row[7], row[8] = rise, rise * place[0], rise * place[1]


@njit(cache=True, nogil=True)
def add_slope(
    lever: Floats,
    gradients: Floats,
    place: Floats,
    part: Indices,
    up: Doubles,
    weights: Floats,
    values: Floats,
    slope: Doubles,
) -> None:
    """Add what each part asks for: weight times gradient times difference, (n_parts, 9).

    Parameters
    ----------
    lever
        Points from the fixed point of the rotation (z, y, x), shape (n, 3), voxels.
    gradients
        Of the fixed volume along (z, y, x), shape (n, 3).
    place
        Points along (z, x) from the middle of their part, in units of its half size, (n, 2).
    part
        Which part a point lies in, shape (n,).
    up
        Direction (z, y, x) of lifts, shape (3,).
    weights, values
        Trust in each point, and what the fixed volume has more there than the moving one.
    slope
        Added to.
    """
    row = np.empty(N_ALL, np.float64)
    for i in range(lever.shape[0]):
        pull = np.float64(weights[i]) * np.float64(values[i])
        if pull != 0.0:
            _fill(row, lever[i, 0], lever[i, 1], lever[i, 2], gradients[i], place[i], up)
            for a in range(N_ALL):
                slope[part[i], a] += pull * row[a]


@njit(cache=True, nogil=True)
def add_curvature(
    lever: Floats,
    gradients: Floats,
    others: Floats,
    place: Floats,
    part: Indices,
    up: Doubles,
    weights: Floats,
    curvature: Doubles,
) -> None:
    """Add the products of two sets of gradients of each part, (n_parts, 9, 9); see `add_slope`."""
    row = np.empty(N_ALL, np.float64)
    other = np.empty(N_ALL, np.float64)
    for i in range(lever.shape[0]):
        w = np.float64(weights[i])
        if w == 0.0:
            continue
        _fill(row, lever[i, 0], lever[i, 1], lever[i, 2], gradients[i], place[i], up)
        _fill(other, lever[i, 0], lever[i, 1], lever[i, 2], others[i], place[i], up)
        into = curvature[part[i]]
        for a in range(N_ALL):
            wa = w * row[a]
            for b in range(N_ALL):
                into[a, b] += wa * other[b]
