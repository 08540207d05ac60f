"""What Prometheus, Alertmanager and Grafana load, beside what writes the boards."""
