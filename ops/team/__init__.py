"""What the services of `docker-compose.yaml` load, and what makes their secrets."""
