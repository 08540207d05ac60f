"""A board as Grafana's JSON, by Grafana's own library."""

from __future__ import annotations

import re
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from ops.monitoring.boards.board import Board, Panel, Place, Query, Section, placed

AIRFLOW = "http://127.0.0.1:8080"  # of the example in prometheus.yml
DOCS = "https://docs.example"  # where people read this repository
_SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
_MARGINS = "${gatelatch_address:raw}/gatelatch/margins"
_RUNBOOKS = "${gatelatch_docs:raw}/docs/runbooks.md"
_BUILDERS: dict[str, Any] = {
    "number": stat.Panel,
    "bars": bargauge.Panel,
    "table": table.Panel,
    "lines": timeseries.Panel,
    "states": statetimeline.Panel,
}
_OVER_TIME = ("lines", "states")
_ROWS = {"table": "__data.fields", "lines": "__field.labels"}  # what knows the model of a row


def board_json(board: Board) -> str:
    """Return the JSON that Grafana loads."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.says)
        .tags(["gatelatch"])
        .timezone("utc")
        .time(board.since, "now")
        .refresh("1m")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .variables(_variables(board))
        .links(
            [
                _link("Margin view", _of_model(board)),
                _link("Runbooks", _RUNBOOKS),
                dashboard.DashboardLink("Other boards")
                .type(models.DashboardLinkType.DASHBOARDS)
                .tags(["gatelatch"]),
            ]
        )
    )
    for number, (one, place) in enumerate(placed(board), 1):
        if isinstance(one, Section):
            made = made.with_row(_heading(one, number, place))
        else:
            made = made.with_panel(_panel(board, one, number, place))
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def _variables(board: Board) -> list[Any]:
    found: list[Any] = [
        dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"),
        _text("gatelatch_address", "Address of Airflow", AIRFLOW),
        _text("gatelatch_docs", "Address of the docs", DOCS),
    ]
    if board.of_one_model:
        model = (
            dashboard.QueryVariable("model")
            .label("Model")
            .datasource(_SOURCE)
            .query("label_values(gatelatch_model_up, model)")
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(models.VariableSort.ALPHABETICAL_ASC)
        )
        found.insert(1, model)
    return found


def _text(name: str, label: str, value: str) -> dashboard.TextBoxVariable:
    option = models.VariableOption(selected=True, text=value, value=value)
    made = dashboard.TextBoxVariable(name).label(label).default_value(value)
    return made.current(option).options([option])


def _link(title: str, url: str) -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink(title)
        .type(models.DashboardLinkType.LINK)
        .url(url)
        .icon("external link")
        .target_blank(True)
    )


def _of_model(board: Board) -> str:
    return f"{_MARGINS}/${{model}}" if board.of_one_model else _MARGINS


def _heading(section: Section, number: int, place: Place) -> dashboard.Row:
    return dashboard.Row(section.title).id(number).grid_pos(_grid(place))


def _grid(place: Place) -> models.GridPos:
    return models.GridPos(x=place.x, y=place.y, w=place.width, h=place.height)


def _panel(board: Board, panel: Panel, number: int, place: Place) -> Any:
    runbook = f"{_RUNBOOKS}#{panel.runbook}" if panel.runbook else _RUNBOOKS
    made = (
        _BUILDERS[panel.kind]()
        .id(number)
        .grid_pos(_grid(place))
        .title(panel.title)
        .description(panel.says)
        .datasource(_SOURCE)
        .unit(panel.unit)
        .targets([_target(panel, n, query) for n, query in enumerate(panel.queries)])
        .links([_link("Margin view", _of_model(board)), _link("Runbook", runbook)])
        .thresholds(_thresholds(panel))
        .color_scheme(
            dashboard.FieldColor().mode(
                models.FieldColorModeId.PALETTE_CLASSIC
                if panel.kind == "lines"
                else models.FieldColorModeId.THRESHOLDS
            )
        )
    )
    if panel.empty:
        made = made.no_value(panel.empty)
    if panel.texts:
        texts = {
            value: models.ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(panel.texts.items())
        }
        made = made.mappings([models.ValueMap(options=texts)])
    if panel.kind == "table":
        made = _as_table(made, panel)
    if row := _ROWS.get(panel.kind):
        of_models = all(map(_of_models, panel.queries))
        margins = [_link("Margin view", f"{_MARGINS}/${{{row}.model}}")] if of_models else []
        made = made.data_links([*margins, _link("Runbook", runbook)])
    if panel.kind == "number":
        made = made.graph_mode(common_models.BigValueGraphMode.NONE)
    if panel.kind == "lines" and panel.limit is not None:
        style = common.GraphThresholdsStyleConfig().mode(
            common_models.GraphThresholdsStyleMode.DASHED
        )
        made = made.thresholds_style(style)
    return made


def _target(panel: Panel, number: int, query: Query) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(query.expr).ref_id(chr(ord("A") + number))
    made = made.datasource(_SOURCE).legend_format(query.name)
    if panel.kind in _OVER_TIME:
        return made.range().format(PromQueryFormat.TIME_SERIES)
    shape = PromQueryFormat.TABLE if panel.kind == "table" else PromQueryFormat.TIME_SERIES
    return made.instant().format(shape)


def _of_models(query: Query) -> bool:
    """Return whether an answer names the model: the outermost aggregation keeps it."""
    found = re.search(r"by \(([^)]*)\)", query.expr)
    return found is not None and "model" in found[1].split(", ")


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    calm = "green" if panel.limit is not None else "text"
    steps = [models.Threshold(value=None, color=calm)]
    if panel.limit is not None:
        steps.append(models.Threshold(value=panel.limit, color="orange"))
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _as_table(made: Any, panel: Panel) -> Any:
    """Return it with one row for each set of labels, and one column for each query."""
    names = {f"Value #{chr(ord('A') + n)}": one.name for n, one in enumerate(panel.queries)}
    if len(panel.queries) == 1:
        names["Value"] = panel.queries[0].name
    columns = {"excludeByName": {"Time": True}, "renameByName": names}
    made = made.transformations(
        [
            models.DataTransformerConfig(id_val="merge", options={}),
            models.DataTransformerConfig(id_val="organize", options=columns),
        ]
    )
    for query in panel.queries:
        unit = models.DynamicConfigValue(id_val="unit", value=query.unit)
        made = made.override_by_name(query.name, [unit])
    return made
