"""Heads of the ledger, kept as tags of the versions that they made champion."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.registry.tracking import asking, persist, unless

_HEAD = "gatelatch.ledger_head."  # and the number of the promotion


def keep_heads(model: str, heads: Mapping[int, tuple[int, str]]) -> list[int]:
    """Keep the ledger's head at each promotion with the version that it made champion.

    A head that is there stays, so the ledger's owner alone cannot rewrite the ledger unseen.
    Returns the numbers of the promotions whose head was missing.
    """
    with asking(f"the heads of {model} cannot be kept") as client:
        found = client.search_model_versions(f"name = '{model}'")
        tags = {int(version.version): version.tags for version in found}
        missing = []
        for number, (version, head) in heads.items():
            key = f"{_HEAD}{number}"
            if key not in tags.get(version, {key: "deleted"}):
                missing.append(number)
                keep_tag(model, version, key, head)
        return missing


def keep_tag(model: str, version: int, key: str, text: str) -> None:
    """Keep a text as a tag of a version; a version that was deleted just now keeps none."""
    with asking(f"{key} of {model} cannot be kept") as client, unless("RESOURCE_DOES_NOT_EXIST"):
        persist(client.set_model_version_tag, model, str(version), key, text)


def kept_heads(model: str) -> tuple[dict[tuple[int, int], str], set[int]]:
    """Return each head that is kept, by promotion and version, and the versions that are there."""
    with asking(f"the heads kept for {model} cannot be read") as client:
        found = client.search_model_versions(f"name = '{model}'")
        return {
            (int(key.removeprefix(_HEAD)), int(version.version)): head
            for version in found
            for key, head in version.tags.items()
            if key.startswith(_HEAD) and key.removeprefix(_HEAD).isdecimal()
        }, {int(version.version) for version in found}
