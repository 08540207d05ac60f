"""The channels that messages go out by: their addresses, which hold secrets, and the sending.

An address is read, used and never shown: whoever is told of a channel is told its name. What comes
of sending is said in words of our own, because the errors of libraries quote addresses.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import yaml

from tasks.errors import Final
from tasks.spec.notify_options import SEVERITIES, Severity

VARIABLE = "GATELATCH_CHANNELS"
SECONDS = 20.0  # for one message; who takes longer is not waited for
_CONNECT, _READ = 5, 10  # seconds that Apprise waits for a connection, and for each read
_BYTES = 64 * 1024
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_STATUS = re.compile(r"error=(\d{3})\b")
_REASONS = {  # in what Apprise tells of a connection that failed, for debugging
    r"Exception: \(53\d,": "it refused the login",
    r"certificate verify failed": "its certificate is not trusted",
}
_log = logging.getLogger("apprise")


class ChannelsUnusable(Final):
    """The file or connection with the channels is not as it has to be; quotes none of it."""


class Channels(Mapping[str, str]):
    """The address of each channel by its name. It shows names alone."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = dict(addresses)

    def __getitem__(self, name: str) -> str:
        return self._addresses[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._addresses)

    def __len__(self) -> int:
        return len(self._addresses)

    def __repr__(self) -> str:
        return f"Channels({', '.join(self)})"


def channels_of_file() -> Channels | None:
    """Return the channels of the file that GATELATCH_CHANNELS names; None if it names none.

    Raises
    ------
    ChannelsUnusable
        If there is no such file, or it holds something else.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    where = f"{named} ({VARIABLE})"
    try:
        with Path(named).open("rb") as file:
            content = file.read(_BYTES + 1)
    except OSError as error:
        raise ChannelsUnusable(f"{where} cannot be read: {error.strerror}") from None
    if len(content) > _BYTES:
        raise ChannelsUnusable(f"{where} is larger than {_BYTES // 1024} KiB")
    try:
        found = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}," if mark else ""
        raise ChannelsUnusable(f"{where}{line} is no YAML; {_MEANT}") from None
    return channels_of(found, where)


_MEANT = "write one line for each channel: its name, a colon, and its Apprise URL in quotes"


def channels_of(found: Any, where: str) -> Channels:
    """Return the channels of a mapping from names to addresses. Raises ChannelsUnusable."""
    if found is None:
        return Channels({})
    if not isinstance(found, dict):
        raise ChannelsUnusable(f"{where} holds no channels; {_MEANT}")
    for number, (name, address) in enumerate(found.items(), 1):
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ChannelsUnusable(
                f"{where}: the name of channel {number} is to be lower-case letters, digits and _, "
                "and to begin with a letter"
            )
        if not isinstance(address, str) or not address.strip():
            raise ChannelsUnusable(f"{where}: channel {name} has no URL; {_MEANT}")
    return Channels(found)


def send_message(address: str, title: str, body: str, severity: Severity) -> str | None:
    """Send a message to one address; return None, or in words why it was not sent.

    It returns in time even if whoever is there never ends: then the message may still arrive.
    """
    said: list[str | None] = []

    def sending() -> None:
        try:
            said.append(_sent(address, title, body, severity))
        except Exception as error:  # its text may quote the address
            said.append(f"it could not be sent ({type(error).__name__})")

    # A daemon: it dies with the process, whatever it still waits for.
    worker = Thread(target=sending, daemon=True)
    worker.start()
    worker.join(SECONDS)
    return said[0] if said else f"no answer within {SECONDS:.0f} s"


def _sent(address: str, title: str, body: str, severity: Severity) -> str | None:
    import apprise

    # No mask for pictures: a message shows none, and so nobody fetches one from elsewhere.
    asset = apprise.AppriseAsset(
        app_id="Gatelatch", app_desc="Gatelatch", app_url="", image_url_mask="", secure_logging=True
    )
    with _listening() as heard:
        # Not `add`, which takes a text for several addresses.
        target = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
        if target is None:
            return "its URL is none that Apprise can use"
        if target.notify_format == apprise.NotifyFormat.MARKDOWN:
            # A plain text made Markdown has a backslash before each dot, also in an address.
            target.notify_format = apprise.NotifyFormat.TEXT
        target.socket_connect_timeout, target.socket_read_timeout = _CONNECT, _READ
        kinds = (apprise.NotifyType.INFO, apprise.NotifyType.WARNING, apprise.NotifyType.FAILURE)
        client = apprise.Apprise(asset=asset)
        client.add(target)
        done = client.notify(
            body=body,
            title=title,
            notify_type=kinds[SEVERITIES.index(severity)],
            body_format=apprise.NotifyFormat.TEXT,
        )
    if done:
        return None
    return _reason("\n".join(heard))


def _reason(heard: str) -> str:
    if answered := _STATUS.findall(heard):
        return f"it answered {answered[-1]}"
    for sign, reason in _REASONS.items():
        if re.search(sign, heard):
            return reason
    return "it cannot be reached, or did not answer"


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Keep what Apprise logs from every log, since it may quote addresses; yield it."""
    heard: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    listener = Listener()
    _log.setLevel(logging.DEBUG)  # the reason of a failure is told there alone
    _log.propagate = False
    _log.handlers[:] = [logging.NullHandler(), listener]  # with none, warnings go to stderr
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # tells each address that it asks
    try:
        yield heard
    finally:
        _log.removeHandler(listener)
