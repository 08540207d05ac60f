"""Writes the rows of a published generator: `python -I river_rows.py NAME SEED FILE.npz`.

Run by the peer's own python. FILE gets `X` (n, d), `label` (n,) and the columns' `names`. Where a
generator has functions, another one takes over at `CHANGE`, with another seed.
"""

import sys

import numpy as np
from river.datasets import synth

ROWS, CHANGE, AGAIN = 40_000, 20_000, 30_000


def sea(seed):
    """SEA (Street & Kim, 2001): the threshold of two features' sum goes from 9.5 to 7."""
    return [
        (CHANGE, synth.SEA(variant=3, noise=0.1, seed=seed)),
        (ROWS, synth.SEA(variant=2, noise=0.1, seed=seed + 1000)),
    ]


def hyperplane(seed):
    """Rotating hyperplane (Hulten, Spencer & Domingos, 2001): five of ten weights wander."""
    made = synth.Hyperplane(
        seed=seed, n_features=10, n_drift_features=5, mag_change=1e-4, sigma=1e-4
    )
    return [(ROWS, made)]


def agrawal(seed):
    """AGRAWAL (Agrawal, Imielinski & Swami, 1993): from function 7 to function 3, perturbed."""
    return [
        (CHANGE, synth.Agrawal(classification_function=6, perturbation=0.05, seed=seed)),
        (ROWS, synth.Agrawal(classification_function=2, perturbation=0.05, seed=seed + 1000)),
    ]


def led(seed):
    """LED (Breiman et al., 1984): five of the seven segments change places with noise columns."""
    kind = {"noise_percentage": 0.1, "irrelevant_features": True}
    return [
        (CHANGE, synth.LEDDrift(seed=seed, n_drift_features=0, **kind)),
        (ROWS, synth.LEDDrift(seed=seed + 1000, n_drift_features=5, **kind)),
    ]


def stagger(seed):
    """STAGGER (Schlimmer & Granger, 1986): its three concepts, the third from 30 000 on."""
    ends = (CHANGE, AGAIN, ROWS)
    return [
        (end, synth.STAGGER(classification_function=i, seed=seed + 1000 * i))
        for i, end in enumerate(ends)
    ]


def main(name, seed, file):
    parts = {"sea": sea, "hyperplane": hyperplane, "agrawal": agrawal, "led": led}
    parts["stagger"] = stagger
    rows = []
    for end, generator in parts[name](int(seed)):
        rows.extend(generator.take(end - len(rows)))
    names = list(rows[0][0])
    np.savez(
        file,
        X=np.array([[float(x[n]) for n in names] for x, _ in rows]),
        label=np.array([int(y) for _, y in rows]),
        names=np.array([str(n) for n in names]),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
