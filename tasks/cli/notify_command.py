"""The command `python -m tasks notify`: tell the channels what is due, or try them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.cli.console import err, fail, out
from tasks.errors import GatelatchError
from tasks.spec import spec_files
from tasks.spec.model import ModelSpec

if TYPE_CHECKING:
    from tasks.notices.channels import Channels


def notify(
    test: Annotated[
        bool, typer.Option("--test", help="send a test message to each channel, and nothing else")
    ] = False,
    channel: Annotated[str | None, typer.Option(help="this channel alone")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="show what would be told; send and record nothing")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="try once more what was given up after all attempts")
    ] = False,
    airflow: Annotated[
        str,
        typer.Option(
            envvar="AIRFLOW__API__BASE_URL", help="address of Airflow, for the links in messages"
        ),
    ] = "http://localhost:8080",
) -> None:
    """Tell people what waits for them and what happened, each event once for each channel.

    The DAG `gatelatch.notices` does this every few minutes. The exit code is 1 if a channel could
    not be told.
    """
    from tasks.notices import channels, sender

    try:
        found = channels.channels_of_file()
        if found is None:
            fail(f"no channels: {channels.VARIABLE} names no file; see docs/messages.md")
        if channel is not None and channel not in found:
            fail(f"there is no channel {channel!r}; there are: {', '.join(found) or 'none'}")
        if test:
            names = list(found) if channel is None else [channel]
            raise typer.Exit(code=0 if _tried(found, names) else 1)
        specs, mistakes = spec_files.load_all()
        for mistake in mistakes:
            err.print(mistake, markup=False)
        now = datetime.now(UTC)
        if dry_run:
            _show(specs, now, airflow, channel, again)
            return
        done = sender.send_due(specs, found, now, airflow, only=channel, again=again, say=_say)
    except GatelatchError as error:
        fail(error)
    if not any(spec.notify for spec in specs):
        _say("nobody is told of any model: no spec has `notify`")
    elif not done.told and not done.failed:
        _say("nothing is due")
    raise typer.Exit(code=1 if done.failed else 0)


def _say(sentence: str) -> None:
    out.print(sentence, markup=False)


def _tried(found: Channels, names: list[str]) -> bool:
    """Send each channel a test message, and say what came of it; return whether all got one."""
    from tasks.notices.channels import send_message

    title = "[info] Gatelatch: a test message"
    body = "Somebody tries this channel with `python -m tasks notify --test`. Nothing is asked."
    fine = True
    for name in names:
        why = send_message(found[name], title, body, "info")
        fine = fine and why is None
        _say(f"{name}: {'sent' if why is None else why}")
    return fine


def _show(
    specs: list[ModelSpec], now: datetime, airflow: str, channel: str | None, again: bool
) -> None:
    from tasks.ledger.ledger import Ledger
    from tasks.notices.kept_look import read_all
    from tasks.notices.sender import due_messages

    ledger, nothing = Ledger.open(), True
    for spec in specs:
        for message in due_messages(read_all(spec, ledger), now, airflow, again):
            if channel in (None, message.channel):
                nothing = False
                title, body = message.text
                _say(f"to {message.channel}: {title}\n\n{body}\n")
    if nothing:
        _say("nothing is due")
