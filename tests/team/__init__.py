"""The services of `docker-compose.yaml`, run on this machine: the team set-up in earnest."""
