"""The page of all models: one row each, the worst first. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from markupsafe import Markup

from tasks.reports.strip import strip
from tasks.views.attention import ORDER, WORDS, Attention, attention, states, worst_first
from tasks.views.standing import Late, Standing, late
from tasks.views.templating import fill_page

PAGE_MODELS = 50  # of a page
NEWEST = 180  # windows of a strip


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a visitor wants to see: models with `text` in the name, of an owner, with a tag …"""

    text: str = ""
    owner: str = ""
    tag: str = ""
    state: str = ""
    page: int = 1

    def query(self, page: int) -> str:
        """Return the part of the address that asks for another page of the same."""
        given = {
            "q": self.text,
            "owner": self.owner,
            "tag": self.tag,
            "state": self.state,
            "page": page,
        }
        return "?" + urlencode({name: value for name, value in given.items() if value})


@dataclass(frozen=True, kw_only=True)
class _Row:
    standing: Standing
    attention: Attention
    word: str
    strip: Markup
    late: Late | None


def overview(
    standings: Sequence[Standing],
    asked: Asked,
    now: datetime,
    *,
    base: str,
    unread: int = 0,
    mistakes: Sequence[str] = (),
) -> str:
    """Return the page.

    Parameters
    ----------
    unread
        How many models were not read yet: the page then says so, and loads itself again.
    mistakes
        What is wrong with the folder of specs as a whole.
    """
    found = [one for one in worst_first(standings, now) if _matches(one, asked, now)]
    pages = max(1, -(-len(found) // PAGE_MODELS))
    page = min(max(asked.page, 1), pages)
    counts = Counter(state for one in standings for state in states(one, now))
    return fill_page(
        "overview.html",
        base=base,
        asked=replace(asked, page=page),
        rows=[_row(one, now) for one in found[(page - 1) * PAGE_MODELS : page * PAGE_MODELS]],
        found=len(found),
        total=len(standings),
        pages=pages,
        owners=sorted({one.owner for one in standings if one.owner}),
        tags=sorted({tag for one in standings for tag in one.tags}),
        counts=[(state, WORDS[state], counts[state]) for state in ORDER if counts[state]],
        unread=unread,
        mistakes=mistakes,
        now=now,
    )


def _matches(one: Standing, asked: Asked, now: datetime) -> bool:
    return (
        asked.text.lower() in one.model.lower()
        and asked.owner in ("", one.owner)
        and asked.tag in ("", *one.tags)
        and asked.state in ("", *states(one, now))
    )


def _row(one: Standing, now: datetime) -> _Row:
    need = attention(one, now)
    return _Row(
        standing=one,
        attention=need,
        word=WORDS[need],
        strip=strip(one.runs, NEWEST),
        late=late(one, now),
    )
