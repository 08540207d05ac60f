"""Three boards for Grafana as code; the JSON beside them is what `python -m` of this writes."""
