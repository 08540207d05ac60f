"""Models that never come here: production logs their margins."""
