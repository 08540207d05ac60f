"""The process of metrics itself, as a section of a board."""

from __future__ import annotations

from ops.monitoring.boards.board import Panel, Query, Section

EXPORTER = Section(
    title="The process of metrics",
    panels=(
        Panel(
            kind="lines",
            title="Time to read the ledger",
            says="Seconds that reading what is new took, and the whole scrape. The first scrape "
            "after a start reads everything.",
            queries=(
                Query(
                    expr="max(gatelatch_ledger_read_duration_seconds)", name="reading the ledger"
                ),
                Query(expr='max(scrape_duration_seconds{job="gatelatch"})', name="the scrape"),
            ),
            unit="s",
            width=8,
            runbook="gatelatchblind",
        ),
        Panel(
            kind="lines",
            title="Memory of the process",
            says="Resident memory. It grows with the windows of all models.",
            queries=(
                Query(
                    expr='max by (instance) (process_resident_memory_bytes{job="gatelatch"})',
                    name="{{instance}}",
                ),
            ),
            unit="bytes",
            width=8,
            runbook="gatelatchblind",
        ),
        Panel(
            kind="lines",
            title="Since chains were looked at",
            empty="never, or not once since the start",
            says="Time since the last round over all models ended. It rises without an end where "
            "nobody looks.",
            queries=(
                Query(
                    expr="time() - max(gatelatch_checks_end_timestamp_seconds)",
                    name="since the last round",
                ),
            ),
            unit="s",
            width=8,
            runbook="gatelatchchainbroken",
        ),
        Panel(
            kind="lines",
            title="Series",
            says="Series of one scrape. How many a model has at most is in docs/metrics.md.",
            queries=(
                Query(
                    expr='max by (instance) (scrape_samples_scraped{job="gatelatch"})',
                    name="{{instance}}",
                ),
            ),
            runbook="gatelatchblind",
        ),
        Panel(
            kind="table",
            title="Releases",
            says="The release of each process of metrics. They should be that of the workers.",
            queries=(Query(expr="max by (instance, release) (gatelatch_build_info)", name="runs"),),
            runbook="gatelatchmodelblind",
        ),
    ),
)
