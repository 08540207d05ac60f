"""Sends what is due: claims each event in the ledger, sends one message, records how it ended.

The claim is written before the message goes out, and only one process can write it. So an event is
told once, whoever else looks at the same time. Nothing that a flow does waits for this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic

from tasks.errors import GatelatchError
from tasks.ledger.chain import Link
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Delivery, Notice
from tasks.notices.channels import Channels, send_message
from tasks.notices.events import ModelFacts, NoticeEvent
from tasks.notices.kept_look import read_all, read_to_tell
from tasks.notices.owed import Owed, owed, subscribed_at, subscription
from tasks.notices.wording import head_told, message_of
from tasks.spec.model import ModelSpec
from tasks.spec.notify_options import SEVERITIES, Severity

LOOK = 240.0  # seconds, after which a look starts nothing more; the next look goes on
_NO_URL = "no URL is set for it"


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message to one channel about a model: all that is due at one look."""

    model: str
    channel: str
    owed: tuple[Owed, ...]
    airflow: str
    head: Link | None = None

    @property
    def severity(self) -> Severity:
        return max((one.event.severity for one in self.owed), key=SEVERITIES.index)

    @property
    def text(self) -> tuple[str, str]:
        """Return title and body: the most urgent first, and among equals the one that asks."""
        events = sorted((one.event for one in self.owed), key=_first)
        told = [(e.subject, e.more(), f"{self.airflow}{e.link}") for e in events]
        title, body = message_of(told, self.severity)
        return title, body if self.head is None else f"{body}\n\n{head_told(self.head)}"


def _first(event: NoticeEvent) -> tuple[int, bool, datetime]:
    return -SEVERITIES.index(event.severity), not event.asks, event.since


@dataclass(kw_only=True)
class Looked:
    """What came of one look: sentences on what was told, and on what was not, and why."""

    told: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def due_messages(facts: ModelFacts, now: datetime, airflow: str, again: bool) -> list[Message]:
    """Return what a model's channels are to be told now, at most one message for each. Pure.

    Parameters
    ----------
    airflow
        Address of Airflow, before the links.
    again
        Whether what was given up is tried once more.
    """
    found = owed(facts, now)
    if again:
        found = [
            replace(one, state="due", attempt=one.attempt + 1) if one.state == "failed" else one
            for one in found
        ]
    due = [one for one in found if one.state == "due"]
    return [
        Message(
            model=facts.model,
            channel=channel,
            owed=tuple(one for one in due if one.channel == channel),
            airflow=airflow.rstrip("/"),
            head=facts.head,
        )
        for channel in dict.fromkeys(one.channel for one in due)
    ]


def send_due(
    specs: Iterable[ModelSpec],
    channels: Channels,
    now: datetime,
    airflow: str,
    *,
    only: str | None = None,
    again: bool = False,
    say: Callable[[str], None] = print,
) -> Looked:
    """Tell the channels of all models what is due.

    A channel that fails is left alone until the next look. What is wrong with one model or channel
    is said, and the others go on.

    Parameters
    ----------
    only
        The one channel that is told, if not all are.
    """
    ledger, looked, until = Ledger.open(), Looked(), monotonic() + LOOK
    broken: set[str] = set()

    def failed(sentence: str) -> None:
        looked.failed.append(sentence)
        say(sentence)

    for spec in specs:
        wanted = [name for name in spec.notify if only in (None, name)]
        for channel in wanted:
            if channel not in channels and channel not in broken:
                broken.add(channel)
                failed(f"channel {channel}: {_NO_URL}, so that it is told nothing")
        try:
            for message in _messages(spec, ledger, wanted, now, airflow, again):
                if message.channel in broken:
                    continue
                if monotonic() > until:
                    failed("what else is due waits for the next look: this one took its time")
                    return looked
                sent = _tell(ledger, message, channels[message.channel])
                if sent is None:
                    continue
                what = f"{message.model}: {len(sent.events)} told to channel {message.channel}"
                if sent.why is None:
                    looked.told.append(what)
                    say(f"{what}: {sent.title}")
                else:
                    broken.add(message.channel)
                    failed(f"{spec.model}: channel {message.channel} was not told: {sent.why}")
        except Exception as error:  # one model never costs another its messages
            # The text of another's error may hold a row.
            said = str(error) if isinstance(error, GatelatchError) else type(error).__name__
            failed(f"{spec.model}: nobody is told: {said}")
    return looked


def _messages(
    spec: ModelSpec,
    ledger: Ledger,
    wanted: Sequence[str],
    now: datetime,
    airflow: str,
    again: bool,
) -> Iterator[Message]:
    if not wanted:
        return
    facts = read_all(spec, ledger) if again else read_to_tell(spec, ledger, now)
    for channel in wanted:
        least = spec.notify[channel]
        if subscribed_at(facts, channel, least) is None:
            ledger.claim(
                Notice(
                    model=spec.model,
                    event=subscription(least),
                    channel=channel,
                    attempt=0,
                    severity=least,
                    message="from here on",
                )
            )
    yield from (m for m in due_messages(facts, now, airflow, again) if m.channel in wanted)


@dataclass(frozen=True, kw_only=True)
class _Sent:
    events: Sequence[Owed]
    title: str
    why: str | None


def _tell(ledger: Ledger, message: Message, address: str) -> _Sent | None:
    """Claim, send and record a message; None if other processes have claimed all of it."""
    title, body = message.text  # before the claims: what cannot be written is not claimed
    mine: list[Owed] = []
    for one in message.owed:
        claimed = ledger.claim(
            Notice(
                model=message.model,
                event=one.event.key,
                channel=message.channel,
                attempt=one.attempt,
                severity=one.event.severity,
                message=one.event.subject,
                within=mine[0].event.key if mine else None,
            )
        )
        if claimed:
            mine.append(one)
    if not mine:
        return None
    if len(mine) < len(message.owed):
        message = replace(message, owed=tuple(mine))
        title, body = message.text
    why = send_message(address, title, body, message.severity)
    for one in mine:
        ledger.deliver(
            Delivery(
                model=message.model,
                event=one.event.key,
                channel=message.channel,
                attempt=one.attempt,
                outcome="told" if why is None else "failed",
                detail=why or "",
            )
        )
    return _Sent(events=mine, title=title, why=why)
