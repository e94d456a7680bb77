"""In which order slabs are reconstructed, and how many of them can be begun at once."""

from collections.abc import Sequence


def anchors_first(n_rows: int, slab_rows: int) -> tuple[slice, ...]:
    """Cut rows into slabs, those first that tell most of the whole volume.

    Parameters
    ----------
    n_rows
        Rows of the volume.
    slab_rows
        Rows of a slab; the last one may have less.

    Returns
    -------
    tuple of slice
        The middle slab, then each time the one farthest from all before it; the lower of two.
    """
    n_slabs = -(-n_rows // slab_rows)
    order = [n_slabs // 2] if n_slabs else []
    distances = [abs(slab - n_slabs // 2) for slab in range(n_slabs)]
    while len(order) < n_slabs:
        farthest = max(range(n_slabs), key=distances.__getitem__)
        order.append(farthest)
        distances = [min(d, abs(slab - farthest)) for slab, d in enumerate(distances)]
    return tuple(slice(s * slab_rows, min((s + 1) * slab_rows, n_rows)) for s in order)


def slabs_within(slab_bytes: Sequence[int], budget_bytes: int) -> int:
    """Count the slabs, from the first on, that a budget of memory holds at the same time."""
    for count, each in enumerate(slab_bytes):
        budget_bytes -= each
        if budget_bytes < 0:
            return count
    return len(slab_bytes)
