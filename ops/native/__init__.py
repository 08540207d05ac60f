"""The services of `docker-compose.yaml` on this machine, where there is no Docker engine."""
