"""Specs that say a great deal, changed by chance: half well-formed YAML, half perhaps not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
ELECTRICITY = (ROOT / "models" / "electricity.yaml").read_text()
# Every part that the demo's spec leaves at its default.
WHOLE = """
model: bad
owner: {name: growth, approvers: [ada, "2:grace"]}
source: {path: "s3://rows/{date}/*.csv", time: at, key: id, weight: w, version_column: by}
window: {every: 1d, start: 2026-01-01T00:00:00+01:00, end: 2027-01-01, timezone: Europe/Berlin,
  grace: 2h, catchup: true, min_rows: 50}
features: {numeric: [x], categorical: [c], text: [t]}
label: {column: y, classes: ["no", "yes"], delay: 2d, source: {table: t, database: DB, key: k}}
expectations:
  - {type: expect_column_values_to_be_in_set, column: c, value_set: [a, b], mostly: 0.9}
validation: {max_quarantined: 0.2, fresh: 0.1, constant_feature: measure}
drift: {false_alarms_per_year: 2, ks: {effect: 0.2}, blind_at: 4, confirm: never,
  calibration: {effect: 0.1, false_alarms_per_year: 1, propose: true}}
latch: {open: {breaches: 2, of: 4}, close: {steady: 2, at: 0.5}, rest: 3d}
training: {estimator: sgd_hinge, window: 8w, weighting: none, regularisation: 0.5, judge: 0.3,
  seed: 1}
calibration: {method: isotonic, share: 0.2}
gates:
  error_rate: {not_worse_than: champion, by: 0.01, confidence: 0.9}
  cost: {at_most: 2}
  per_class_recall: {at_least: 0.1}
  costs: [[0, 1], [5, 0]]
  slices: {over: [{column: c, values: [a]}, {column: x, edges: [0.5, 1]}], metric: cost,
    min_rows: 9}
  may_separate: [x]
shadow: {windows: 2}
approval: {retrain: human, promote: automatic, rollback: human, timeout: 1d, proposer: eve}
"""
ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**17, -(2**53) - 1, 10**40, 1e308, -1e-320),
    *(float("nan"), float("inf"), "", " ", "a" * 101, "a" * 300, "a" * 5000, "é", "\u202e"),
    *("a\nb", "a\0b", "\x1b[31m", "\ud800", "{{ 1/0 }}", "../..", "a,b:admin", "null", "1e999"),
    *("0d", "1m", "36525d", "36526d", "999999999w", "9" * 30 + "m", "-1d", "inf", "nan"),
    *("0001-01-01", "1700-01-01", "2199-12-31T23:59:59Z", "9999-12-31T23:59:59-23:00", "20260101"),
    *("9999-12-31", "2026-02-30", "Pacific/Kiritimati", "localtime", "Factory", "UTC", "churn"),
    *([], {}, [[]], [None], {"": 1}, {1: 2}, {"a": {"b": {"c": []}}}, ["a"] * 300, [["a"]] * 5),
]


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value below, the containers themselves included."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in parts:
        yield (*at, key)
        if isinstance(part, dict | list):
            yield from _places(part, (*at, key))


def _change(raw: dict[str, Any], chance: random.Random) -> None:
    """Delete, replace, duplicate, swap, rename or wrap one value of a spec, in place."""
    way = chance.choice(list(_places(raw)))
    *above, last = way
    parent = raw
    for name in above:
        parent = parent[name]
    kind = chance.choice(["delete", "odd", "odd", "odd", "copy", "rename", "wrap", "stretch"])
    if kind == "delete":
        del parent[last]
    elif kind == "odd":
        parent[last] = deepcopy(chance.choice(ODD))
    elif kind == "copy":
        parent[last] = deepcopy(_at(raw, chance.choice(list(_places(raw)))))
    elif kind == "rename" and isinstance(parent, dict):
        parent[chance.choice(["x", "", "moedl", 5, None])] = parent.pop(last)
    elif kind == "wrap":
        for _ in range(chance.choice([1, 2, 40])):
            parent[last] = chance.choice([[parent[last]], {"a": parent[last]}])
    elif isinstance(parent[last], str | list):
        parent[last] = parent[last] * chance.choice([2, 50, 400])


def _at(raw: Any, way: tuple[Any, ...]) -> Any:
    for name in way:
        raw = raw[name]
    return raw


def _spoilt(text: str, chance: random.Random) -> bytes:
    """Return a text whose bytes are flipped, cut, repeated or mixed with YAML's own signs."""
    content = bytearray(text.encode())
    for _ in range(chance.choice([1, 1, 3, 30])):
        at = chance.randrange(len(content) + 1)
        kind = chance.choice(["flip", "cut", "sign", "again", "line"])
        if kind == "flip" and at < len(content):
            content[at] ^= 1 << chance.randrange(8)
        elif kind == "cut":
            del content[at : at + chance.choice([1, 5, 200])]
        elif kind == "sign":
            signs = [b"&a ", b"*a", b"<<: *a", b"!!binary ", b"!!python/name:os.system ", b"? "]
            signs += [
                b"[",
                b"}",
                b"- ",
                b": ",
                b"|",
                b"%",
                b"\t",
                b"---\n",
                b"!!set ",
                b'"\\ud800"',
            ]
            signs += [b"&r [*r]", b"0x" + b"f" * 60, b"1:1:1", b"=", b"!!int ", b"!!timestamp "]
            content[at:at] = chance.choice(signs)
        elif kind == "again":
            content[at:at] = content[max(0, at - 80) : at]
        else:
            content[at:at] = b"\n"
    return bytes(content)


def mutations(seed: int, count: int) -> Iterator[bytes]:
    """Yield mutated specs: half of them well-formed YAML, half of them perhaps not."""
    chance = random.Random(seed)
    texts = [WHOLE, ELECTRICITY.replace("model: electricity", "model: bad")]
    plain = [yaml.safe_load(text) for text in texts]
    for number in range(count):
        if number % 2:
            yield _spoilt(chance.choice(texts), chance)
            continue
        raw = deepcopy(chance.choice(plain))
        for _ in range(chance.choice([1, 1, 2, 5])):
            if raw:
                _change(raw, chance)
        yield yaml.safe_dump(raw, sort_keys=False).encode("utf-8", "surrogatepass")
