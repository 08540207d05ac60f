"""Beta calibration: p = 1 / (1 + 1 / (exp(c) · s^a / (1 - s)^b)), a and b not below 0.

Kull, Silva Filho & Flach (2017), *Beyond sigmoids: how to obtain well-calibrated probabilities from
binary classifiers with beta calibration*, Electronic Journal of Statistics 11(2).

The paper takes scores s within 0 … 1; a decision value has no bounds. So s = 1 / (1 + exp(-f / σ))
here, with σ the standard deviation of the decision values that it learns of. This map is ours. With
it a = b is Platt's sigmoid of a / σ and c, as a = b is logistic calibration in the paper; and the
unit of f does not matter. a rules the low scores, where s^a vanishes, and b the high ones.

Two things differ from the authors' code. The likelihood is greatest within the bounds, not refit
without what fell below 0. The targets are Platt's (1999), so that a slice without a mistake has a
finite fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tasks.arrays import Floats, Ints
from tasks.classifier.likelihood import standard_errors

_SAME = 1e-12  # σ as a share of the largest value, below which it is rounding
_IMPOSSIBLE = -1e3  # exp(c) is 0 as a probability below -745
LEADING = ("a", "a")


def learn(decision: Floats, hit: Ints) -> Any:
    """Return the map of the greatest likelihood; of scores that are all the same, a = b = 0."""
    from scipy.optimize import minimize
    from scipy.special import expit, logit

    ordered = np.lexsort((hit, decision))  # sums then do not depend on the rows' order
    decision, hit = decision[ordered], hit[ordered]
    hits, rows, unit = int(hit.sum()), len(hit), float(decision.std())
    target = np.where(hit == 1, (hits + 1) / (hits + 2), 1 / (rows - hits + 2))
    if unit <= _SAME * float(np.abs(decision).max()):
        return _of(1.0, 0.0, 0.0, float(logit(target.mean())))
    inputs = _inputs(decision / unit)

    def loss(found: Floats) -> tuple[float, Floats]:
        said = inputs @ found
        value = (np.logaddexp(0, said) - target * said).mean()
        return float(value), inputs.T @ (expit(said) - target) / rows

    bounds, start = [(0, None), (0, None), (None, None)], [1.0, 1.0, 0.0]
    options = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 1000}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return _of(unit, *found.x.tolist())


def never() -> Any:
    """Return a map that says 0 whatever the score."""
    return _of(1.0, 0.0, 0.0, _IMPOSSIBLE)


def possible(learnt: Any) -> bool:
    """Return whether any score is probable."""
    return _parts(learnt)[3] != _IMPOSSIBLE


def as_often(learnt: Any, factor: float) -> Any:
    """Return the map with its odds multiplied."""
    unit, a, b, c = _parts(learnt)
    return _of(unit, a, b, c + float(np.log(factor)))


def mirrored(learnt: Any) -> Any:
    """Return the map of -f to the other class of two."""
    unit, a, b, c = _parts(learnt)
    return _of(unit, b, a, -c)


def slope(learnt: Any) -> float:
    """Return how fast the logit rises where f is 0: (a + b) / 2σ."""
    unit, a, b, _ = _parts(learnt)
    return (a + b) / (2 * unit)


def sigmoid(learnt: Any) -> tuple[float, float] | None:
    """Return (a, b) of Platt's form if both tails are alike."""
    unit, a, b, c = _parts(learnt)
    return (-a / unit, -c) if a == b else None


def parameters(learnt: Any, decision: Floats) -> dict[str, float]:
    """Return `a`, `b` and `c`, with errors, and `unit`, the σ of the decision values.

    The error of a parameter that the bound holds at 0 is 0: the others' are those beside it.
    """
    unit, *found = _parts(learnt)
    free = [value != 0 for value in found[:2]] + [True]
    errors = np.zeros(3)
    inputs = _inputs(decision / unit)[:, free]
    errors[free] = standard_errors(inputs, np.asarray(learnt.predict(decision)))
    pairs = zip("abc", found, errors.tolist(), strict=True)
    each = {key: v for name, value, e in pairs for key, v in ((name, value), (f"{name}_error", e))}
    return {**each, "unit": unit}


def told(each: Mapping[str, Mapping[str, float]]) -> str:
    """Return a, b and c of each class with their standard errors, and σ."""
    said = (
        (f"{name}: " if len(each) > 1 else "")
        + ", ".join(f"{p} = {c[p]:.3f} ± {c[f'{p}_error']:.3f}" for p in "abc")
        + f", σ = {c['unit']:.4g}"
        for name, c in each.items()
    )
    return f"{'; '.join(said)} (standard errors)"


def _inputs(scaled: Floats) -> Floats:
    """Return ln s, -ln(1 - s) and 1 of scaled decision values, shape (n, 3)."""
    from scipy.special import log_expit

    return np.column_stack([log_expit(scaled), -log_expit(-scaled), np.ones_like(scaled)])


def _of(unit: float, a: float, b: float, c: float) -> Any:
    """Return the map as objects of scikit-learn, so that a model's file needs none of our code.

    f → [f] → [f / σ] → [ln s, ln(1 - s)] → a·ln s - b·ln(1 - s) + c → p.
    """
    from scipy.special import expit, log_expit, logit
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import FeatureUnion, Pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    scale = StandardScaler(with_mean=False).fit(np.zeros((2, 1)))
    scale.scale_ = np.array([unit])
    scale.var_ = scale.scale_**2
    log_s = FunctionTransformer(log_expit)
    other = Pipeline([("minus", FunctionTransformer(np.negative)), ("log", log_s)])
    line = LinearRegression()
    line.coef_, line.intercept_, line.n_features_in_ = np.array([a, -b]), float(c), 2
    steps = [
        ("column", FunctionTransformer(np.expand_dims, kw_args={"axis": 1})),
        ("unit", scale),
        ("logs", FeatureUnion([("s", log_s), ("1-s", other)])),
        ("line", line),
    ]
    found = TransformedTargetRegressor()
    found.regressor_ = Pipeline(steps)
    found.transformer_ = FunctionTransformer(logit, expit, check_inverse=False)
    found._training_dim = 1  # a target of shape (n,), as `fit` would note
    return found


def _parts(learnt: Any) -> tuple[float, float, float, float]:
    """Return σ, a, b and c."""
    steps = learnt.regressor_.named_steps
    a, minus_b = steps["line"].coef_.tolist()
    # 0.0 of -0.0, which a text would show.
    return float(steps["unit"].scale_[0]), a, -minus_b + 0.0, float(steps["line"].intercept_)
