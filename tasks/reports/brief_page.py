"""A brief as a page of the store."""

from __future__ import annotations

from tasks import store
from tasks.ledger.evidence import short
from tasks.reports.brief_links import REPORTS, slug
from tasks.reports.page import render


def publish_brief(
    model: str, proposal: str, kind: str, brief: tuple[str, str], evidence: str
) -> dict[str, str]:
    """Keep a brief as a page in the store; return subject, body, address and evidence."""
    subject, body = brief
    body = f"Evidence `{short(evidence)}`: an answer counts for exactly this evidence.\n\n{body}"
    path = f"{model}/{slug(proposal)}/{kind}.html"
    store.write(f"reports/{path}", as_page(subject, body))
    return {
        "subject": subject,
        "body": body,
        "brief": f"{REPORTS}/{path}",
        "evidence": evidence,
    }


def as_page(title: str, markdown: str) -> str:
    """Return the Markdown as a page of its own that needs no network."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    return render("brief.html", title=title, body=body)
