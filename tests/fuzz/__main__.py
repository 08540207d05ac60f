"""Fuzz what reads input of others, guided by coverage: `python -m tests.fuzz [TARGET …]`.

Each target runs in a process of its own under atheris, which `make fuzz` installs beside `.venv`. A
fault ends its target; the input that brought it about is kept and named.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

MEGABYTES = 2048  # of resident memory, all libraries included
SECONDS_EACH = 20  # for one input
LOOKED_EVERY = 20  # inputs: whether something half-written is left, and what became of them
_UNITS = re.compile(rb"stat::number_of_executed_units:\s*(\d+)")
_PEAK = re.compile(rb"stat::peak_rss_mb:\s*(\d+)")


def main() -> int:
    """Fuzz each target for a while; print what came of it, and return 1 if there was a fault."""
    if name := os.environ.get("FUZZ_TARGET"):
        _fuzz_here(name, int(sys.argv[1]), Path(sys.argv[2]))
    from tests.fuzz.every import MAKERS

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(MAKERS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--kept", type=Path, default=Path(".run/fuzz"), help="folder of findings")
    asked = parser.parse_args()
    targets = asked.targets or list(MAKERS)
    if unknown := [name for name in targets if name not in MAKERS]:
        parser.error(f"no target {unknown[0]}; there are: {', '.join(MAKERS)}")
    print(f"{'target':10}{'inputs':>10}{'peak MB':>9}  what became of them")
    return max([_fuzz(name, asked.seconds, asked.kept) for name in targets])


def _fuzz(name: str, seconds: int, kept: Path) -> int:
    from tests.fuzz.every import environment_in

    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        told = Path(folder, "told")
        command = [sys.executable, "-m", "tests.fuzz", str(seconds), str(kept)]
        own = {"FUZZ_TARGET": name, "FUZZ_FOLDER": folder}
        env = {**os.environ, **environment_in(Path(folder)), **own}
        done = subprocess.run(command, env=env, capture_output=True, check=False)
        outcomes = told.read_text() if told.exists() else ""
    units, peak = _UNITS.search(done.stderr), _PEAK.search(done.stderr)
    count = int(units[1]) if units else 0
    print(f"{name:10}{count:>10}{int(peak[1]) if peak else 0:>9}  {outcomes or 'nothing'}")
    if done.returncode:
        print((done.stdout + done.stderr).decode(errors="replace")[-3000:], file=sys.stderr)
    return int(done.returncode != 0 or not count)


def _fuzz_here(name: str, seconds: int, kept: Path) -> None:
    """Fuzz one target in this process, which then ends.

    What is imported before is not instrumented, so nothing of ours is.
    """
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed: run `make fuzz`, which puts it beside .venv")
    folder = Path(os.environ["FUZZ_FOLDER"])
    with atheris.instrument_imports(include=["tasks", "answers", "served"]):
        from tasks.data import apart
        from tasks.signing import keyring
        from tests.fuzz.every import MAKERS
        from tests.fuzz.target import nothing_left_in

        keyring.create_keys()
        target = MAKERS[name](folder)
    if target.apart:
        apart.begin()
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(target.seeds):
        (corpus / str(number)).write_bytes(seed)
    outcomes: Counter[str] = Counter()
    seen = 0

    def once(content: bytes) -> None:
        nonlocal seen
        outcomes[target.read(content)] += 1
        seen += 1
        if seen % LOOKED_EVERY == 0:
            nothing_left_in(folder)
            _tell(folder, outcomes)

    options = [f"-max_total_time={seconds}", f"-rss_limit_mb={MEGABYTES}", "-print_final_stats=1"]
    options += [f"-timeout={SECONDS_EACH}", f"-max_len={target.longest}"]
    options.append(f"-artifact_prefix={kept}/{name}-")
    atheris.Setup([sys.argv[0], *options, str(corpus)], once)
    atheris.Fuzz()


def _tell(folder: Path, outcomes: Counter[str]) -> None:
    said = ", ".join(f"{count} {what}" for what, count in outcomes.most_common())
    (folder / "told").write_text(said)


if __name__ == "__main__":
    sys.exit(main())
