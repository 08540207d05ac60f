"""How many threads linear algebra uses."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any


def one_blas_thread() -> AbstractContextManager[Any]:
    """Let NumPy and SciPy use one thread within the block: whoever reads ahead has the other core.

    Threads of BLAS that wait for work by spinning would only take it away.
    """
    limited: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limited


@cache
def _controller() -> Any:
    """Return what knows the libraries of this process, and of those that are forked from it."""
    import numpy.linalg  # noqa: F401  # each brings a BLAS of its own, to be found
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
