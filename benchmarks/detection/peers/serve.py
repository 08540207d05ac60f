"""Serves one detector of one peer over JSON lines, run by the peer's own python.

`python -I serve.py river adwin` reads {"do": "reference" or "window", "file": "rows.npz"} and
answers {"ok": true} or {"alarm": bool, "value": number or null, "used_labels": bool}.

A peer's file offers DETECTORS: a name → a function of the reference's rows that returns an object
whose `window(rows)` returns (alarm, value, used_labels). Rows have `margins` (n,), `label` (n,) of
0, 1 or -1 where unknown, `features` (n, d), and of the labelled rows alone `loss` and `error`.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np


def main(peer, name):
    # Peers print and log: whatever they say goes to stderr, the replies keep stdout.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    make, detector = detectors_of(peer)[name], None
    for line in sys.stdin:
        request = json.loads(line)
        rows = rows_of(request["file"])
        if request["do"] == "reference":
            detector, reply = make(rows), {"ok": True}
        else:
            alarm, value, used_labels = detector.window(rows)
            value = None if value is None or not np.isfinite(value) else float(value)
            reply = {"alarm": bool(alarm), "value": value, "used_labels": bool(used_labels)}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def detectors_of(peer):
    # Loaded by path under a name of its own: river.py must not stand before the package river.
    spec = importlib.util.spec_from_file_location("peer", Path(__file__).with_name(f"{peer}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.DETECTORS


def rows_of(file):
    with np.load(file) as arrays:
        margins, label, features = arrays["margins"], arrays["label"], arrays["X"]
    labelled = label >= 0
    signed = (2 * label[labelled] - 1) * margins[labelled]
    return SimpleNamespace(
        margins=margins,
        label=label,
        features=features,
        loss=np.maximum(0, 1 - signed),
        error=(signed <= 0).astype(int),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
