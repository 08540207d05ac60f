"""Runs the project on one machine: the stack, a client of its REST API, and the demo."""
