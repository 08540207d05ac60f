"""MLflow's aliases, which follow the champion that the ledger has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.registry.registry import tags_of
from tasks.registry.tracking import asking, persist, unless

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class Alias:
    """An alias that was not where the ledger has it: `found` → `wanted`; None means no version.

    `moved` is False if the wanted version is not in MLflow any more.
    """

    name: str
    found: int | None
    wanted: int | None
    moved: bool


def point(
    model: str,
    wanted: Mapping[str, int | None],
    promoted: Mapping[str, str] | None = None,
    keep: Callable[[], object] | None = None,
) -> list[Alias]:
    """Put MLflow's aliases where they are wanted; one request if they are there already.

    Returns those that were not. What is said of a promotion becomes tags of the champion, and the
    ledger's heads are kept (`keep`), before the alias moves: whoever finishes after a crash does
    all of it.
    """
    with asking(f"the aliases of {model} cannot be followed") as client:
        aliases: Mapping[str, Any] = {}
        with unless("RESOURCE_DOES_NOT_EXIST"):  # nothing is registered yet
            aliases = client.get_registered_model(model).aliases
        there = {name: int(version) for name, version in aliases.items()}
        champion = wanted.get("champion")
        moves = champion is not None and there.get("champion") != champion
        if moves and keep is not None:
            keep()
        if promoted and moves:
            with unless("RESOURCE_DOES_NOT_EXIST"):
                for key, value in tags_of(promoted).items():
                    persist(client.set_model_version_tag, model, str(champion), key, value)
        return [
            Alias(name, there.get(name), version, _move(client, model, name, version))
            for name, version in wanted.items()
            if there.get(name) != version
        ]


def alias_at(model: str, name: str) -> int | None:
    """Return the version that an alias stands at; None if there is no such alias, or no model."""
    with asking(f"the alias {name} of {model} cannot be looked at") as client:
        with unless("RESOURCE_DOES_NOT_EXIST"):
            version = client.get_registered_model(model).aliases.get(name)
            return None if version is None else int(version)
        return None


def _move(client: MlflowClient, model: str, name: str, version: int | None) -> bool:
    if version is None:
        client.delete_registered_model_alias(model, name)
        return True
    with unless("RESOURCE_DOES_NOT_EXIST"):
        persist(client.set_registered_model_alias, model, name, str(version))
        return True
    # No alias is better than one on another version than people think.
    with unless("RESOURCE_DOES_NOT_EXIST"):
        client.delete_registered_model_alias(model, name)
    return False
