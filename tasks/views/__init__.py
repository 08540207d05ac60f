"""What stands now, for people and monitors that look: pages and metrics; reads, never writes."""
