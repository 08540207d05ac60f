"""Standard errors of what a logistic likelihood was fit to. Pure."""

from __future__ import annotations

import numpy as np

from tasks.arrays import Floats

_SINGULAR = 1e-10  # share of the largest eigenvalue below which rows say nothing of a direction


def standard_errors(inputs: Floats, p: Floats) -> Floats:
    """Return the root of the diagonal of the inverse Hessian of the negative log-likelihood.

    A direction that the rows say nothing of, as where all scores are the same, is left out.

    Parameters
    ----------
    inputs
        What the parameters are multiplied with, shape (n, d).
    p
        Probabilities at the fit, shape (n,).
    """
    hessian = inputs.T @ (inputs * (p * (1 - p))[:, None])
    unit = np.sqrt(np.diag(hessian))
    if unit.all() and np.linalg.cond(hessian / np.outer(unit, unit)) > 1 / _SINGULAR:
        known = np.linalg.pinv(hessian / np.outer(unit, unit), rcond=_SINGULAR, hermitian=True)
        return np.asarray(np.sqrt(np.diag(known)) / unit)
    # A slice that the sigmoid separates without a doubt leaves nothing to invert.
    return np.asarray(np.sqrt(np.diag(np.linalg.pinv(hessian))))
