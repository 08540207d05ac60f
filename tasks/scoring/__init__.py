"""The champion at work: fetched by those who score, and the scores that it gives."""
