"""What is too slow for a scrape and is looked at beside it: each model's chain, and MLflow's alias.

One thread goes round all models, and rests much longer than it works. The scrapes say what it found
last. It looks at the chain as a run of the monitor does before it acts (`verification.require`):
all links, all signatures but those of observations, and of observations how many there are.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import closing
from threading import Event, Thread

import sqlalchemy as sa

from tasks.errors import GatelatchError
from tasks.ledger.chain import LedgerRefused
from tasks.ledger.reader import LedgerReader
from tasks.views.said_once import SaidOnce
from tasks.views.trust_metrics import AliasState, ChainState, CheckStates

_REST = 19  # times the work: a twentieth of a core at the most, so that no scrape waits long
_EMPTY = 1.0  # seconds until it is looked again whether there is any model
_OLD = 3600.0  # seconds beyond `every`, after which what was found is not known any more
UNSEEN = CheckStates()


class SlowChecks:
    """What was found of each model.

    Parameters
    ----------
    every
        Seconds from the end of a round to the next.
    aliases
        Whether MLflow is asked.
    """

    def __init__(self, *, every: float = 300, aliases: bool = False) -> None:
        self.ended: float | None = None  # the last round, in Unix time
        self._every = every
        self._aliases = aliases
        self._models: tuple[str, ...] = ()
        self._found: dict[str, CheckStates] = {}
        self._looked: dict[str, float] = {}  # when, on the monotonic clock
        self._said = SaidOnce()
        self._stopped = Event()
        self._thread: Thread | None = None

    def of(self, model: str) -> CheckStates:
        """Return what was found of a model last; the same object until it changes.

        If the thread hangs, as at a store that does not answer, that is soon nothing.
        """
        found = self._found.get(model)
        if found is None or time.monotonic() - self._looked[model] > self._every + _OLD:
            return UNSEEN
        return found

    def watch(self, models: Iterable[str]) -> None:
        """Look at these from now on."""
        self._models = tuple(models)

    def start(self) -> None:
        """Look at all models, again and again, in a thread of its own."""
        self._thread = Thread(target=self._run, name="slow checks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the thread end with the model that it looks at; MLflow is not waited for."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(1)

    def _run(self) -> None:
        while not self._stopped.is_set():
            rest = self.look()
            self._stopped.wait(max(self._every, rest) if self._models else _EMPTY)

    def look(self) -> float:
        """Look at each model once; return for how many seconds to rest after the last.

        The rest after the first model that this process looks at is left out: most of its work is
        what is imported once, above all MLflow.
        """
        models = self._models
        rest = 0.0
        if not models:
            return rest
        try:
            reader = LedgerReader.open_to_read()
        except (GatelatchError, sa.exc.SQLAlchemyError) as error:
            self._said.say("ledger", f"no chain is looked at: {error}")
            self._found = {}
            return rest
        self._said.well("ledger")
        answers = self._aliases  # until MLflow does not
        with closing(reader):
            for model in models:
                if self._thread and self._stopped.wait(rest):
                    return rest
                first, begun = not self._looked, time.thread_time()
                chain = self._chain(reader, model)
                alias = self._alias(reader, model) if answers else "unseen"
                answers = answers and alias != "unseen"
                found = CheckStates(chain=chain, alias=alias)
                self._looked[model] = time.monotonic()
                if found != self._found.get(model):
                    self._found[model] = found
                rest = 0.0 if first else _REST * (time.thread_time() - begun)
        self._found = {model: self._found[model] for model in models}
        self.ended = time.time()
        return rest

    def _chain(self, reader: LedgerReader, model: str) -> ChainState:
        from tasks.audit import verification

        about = f"chain of {model}"
        try:
            verification.require(reader, model)
        except LedgerRefused as fault:
            self._said.say(about, str(fault))
            return "broken"
        except Exception as error:  # such as no key: what cannot be verified is not intact
            self._said.say("chains", f"the chains cannot be looked at: {_told(error)}")
            return "unseen"
        self._said.well(about)
        self._said.well("chains")
        return "intact"

    def _alias(self, reader: LedgerReader, model: str) -> AliasState:
        from tasks.registry import model_aliases

        try:
            alias = model_aliases.alias_at(model, "champion")
            promotions = reader.promotions(model)
        except Exception as error:
            self._said.say("aliases", f"MLflow's aliases cannot be looked at: {_told(error)}")
            return "unseen"
        self._said.well("aliases")
        about, champion = f"alias of {model}", promotions[-1].version if promotions else None
        if alias != champion:
            self._said.say(
                about,
                f"{model}: MLflow's alias champion is at version {alias}, the ledger's champion is "
                f"version {champion}",
            )
            return "other"
        self._said.well(about)
        return "same"


def _told(error: Exception) -> str:
    """Return what our own errors say; the text of another may hold anything."""
    return str(error) if isinstance(error, GatelatchError) else type(error).__name__
