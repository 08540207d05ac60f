"""A brief as a page of the store."""

from __future__ import annotations

from tasks import store
from tasks.ledger.evidence import short
from tasks.ledger.reader import LedgerReader
from tasks.ledger.records import Question
from tasks.reports.brief_links import REPORTS, slug
from tasks.reports.page import render


def publish_brief(
    ledger: LedgerReader, question: Question, kind: str, brief: tuple[str, str]
) -> dict[str, str]:
    """Keep a brief as a page in the store; return subject, body, address and evidence.

    It ends with the ledger's head when the question was asked, so that Airflow's database, the
    store and whoever prints the page keep one that the ledger's owner cannot write again.
    """
    subject, body = brief
    evidence = question.evidence
    body = f"Evidence `{short(evidence)}`: an answer counts for exactly this evidence.\n\n{body}"
    head = ledger.head_of_question(question)
    if head is not None:
        body += f"\n\nLedger up to link {head.position}: `{head.digest}`"
    path = f"{question.model}/{slug(question.proposal)}/{kind}.html"
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
