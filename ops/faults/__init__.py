"""Faults, injected into the services of `docker-compose.yaml`: docs/reliability.md."""
