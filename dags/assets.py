"""What Airflow calls assets: each model's champion, the landing of its rows, and what happened.

A DAG that scores is scheduled on the champion: `schedule=[champion_of("churn")]`, or by its name.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from airflow.sdk import Asset, Context
from airflow.sdk.definitions.asset import AssetRef

from tasks.bounds import moment
from tasks.ledger.records import Promotion
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

HAPPENED = Asset("gatelatch.happened", "gatelatch://happened", group="gatelatch")


def to_tell(spec: ModelSpec) -> list[Asset]:
    """Return the outlets of a task after which there may be something to tell: see `notices`."""
    return [HAPPENED] if spec.notify else []


def champion_of(model: str) -> Asset:
    """Return the asset that stands for the champion of a model."""
    return Asset(f"{model}.champion", f"gatelatch://{model}/champion", group="model")


def scores_of(model: str) -> Asset:
    """Return the asset that stands for the scores that a model's champion gave."""
    return Asset(f"{model}.scores", f"gatelatch://{model}/scores", group="model")


def landing_of(name: str) -> AssetRef:
    """Return the asset that others call by this name or URI."""
    return Asset.ref(uri=name) if "://" in name else Asset.ref(name=name)


def tell_of(context: Context, promotion: Promotion) -> None:
    """Let the event of a task that moved the champion say which version it is.

    A task that is cleared makes another event of the same promotion: who acts on events compares
    its number.
    """
    event = context["outlet_events"][champion_of(promotion.model)]
    event.extra = {"version": promotion.version, "promotion": promotion.number}


def tell_scored(context: Context, model: str, window: Window) -> None:
    """Let the event of a task that scored a window say which window it is."""
    context["outlet_events"][scores_of(model)].extra = {"window": window.start.isoformat()}


def starts_scored(context: Context, model: str) -> list[datetime]:
    """Return the starts of the windows whose scores started this run; none if none did."""
    found: Iterable[object] = (
        event.extra.get("window")
        for of_asset in context["triggering_asset_events"].values()
        for event in of_asset
        if event.source_dag_id == f"score.{model}"
    )
    return [moment(start, "window") for start in found if isinstance(start, str)]
