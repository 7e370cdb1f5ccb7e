"""The columns of a table of counts that vary most."""

from __future__ import annotations

import numpy as np

from elbowroom.data.raw import Raw
from elbowroom.errors import UserError


def most_variable(raw: Raw, count: int) -> Raw:
    """Keep the columns of counts that vary most beyond what their mean explains.

    The variance that a mean leads to is a local quadratic regression of log₁₀ variance on log₁₀
    mean (span 0.3); columns are ranked by the variance of counts standardised with it, clipped at
    √N. All rows are used, no label is.

    Raises:
        UserError: the data are no counts, or `count` is not positive.

    References:
        Comprehensive Integration of Single-Cell Data (Stuart, Butler et al. 2019), "v3".
    """
    if raw.kind != "counts" or count < 1:
        raise UserError(f"{raw.name}: most_variable={count} takes a positive number, and counts.")
    if count >= raw.x.shape[1]:
        return raw
    kept = np.sort(np.argsort(-standardised_variance(raw.x), kind="stable")[:count])
    total = raw.x.shape[1]
    raw.x = np.ascontiguousarray(raw.x[:, kept])
    raw.columns = [raw.columns[i] if raw.columns else f"column {i + 1}" for i in kept]
    note = f"the {count} most variable of {total} columns"
    raw.note = "; ".join(n for n in (raw.note, note) if n)
    return raw


def standardised_variance(x: np.ndarray) -> np.ndarray:
    """Return the variance of every column ``(G,)`` over what its mean leads one to expect."""
    n = len(x)
    mean, variance = x.mean(0, dtype=np.float64), x.var(0, ddof=1, dtype=np.float64)
    varies = variance > 0
    expected = np.ones_like(mean)
    expected[varies] = 10 ** local_quadratic(np.log10(mean[varies]), np.log10(variance[varies]))
    result = np.zeros_like(mean)
    for start in range(0, x.shape[1], 1024):
        part = slice(start, start + 1024)
        limit = np.sqrt(n * expected[part]) + mean[part]
        clipped = np.minimum(x[:, part], limit)
        centred = np.square(clipped - mean[part]).sum(0)
        result[part] = centred / ((n - 1) * expected[part])
    return np.where(varies, result, 0.0)


def local_quadratic(
    x: np.ndarray, y: np.ndarray, span: float = 0.3, points: int = 200
) -> np.ndarray:
    """Return y ``(G,)`` smoothed over x: tricube weights, degree 2, linear between grid points."""
    order = np.argsort(x)
    x_sorted, y_sorted = x[order], y[order]
    window = min(len(x), max(8, int(np.ceil(span * len(x)))))
    grid = np.unique(np.quantile(x_sorted, np.linspace(0, 1, min(points, len(x)))))
    fitted = [_local(x_sorted, y_sorted, centre, window) for centre in grid]
    return np.interp(x, grid, fitted)


def _local(x: np.ndarray, y: np.ndarray, centre: float, window: int) -> float:
    """Fit a parabola to the `window` nearest points and return its value at the centre."""
    middle = int(np.searchsorted(x, centre))
    low = min(max(0, middle - window), max(0, len(x) - 2 * window))
    near = slice(low, low + 2 * window)
    distance = np.abs(x[near] - centre)
    reach = np.partition(distance, min(window, len(distance)) - 1)[window - 1]
    weight = np.clip(1 - (distance / max(reach * 1.001, 1e-12)) ** 3, 0, 1) ** 3
    basis = np.vander(x[near] - centre, 3) * np.sqrt(weight)[:, None]
    return float(np.linalg.lstsq(basis, y[near] * np.sqrt(weight), rcond=None)[0][2])
