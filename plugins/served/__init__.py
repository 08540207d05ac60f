"""What serves Gatelatch's pages; only an API server imports it, see `pages.py`."""
