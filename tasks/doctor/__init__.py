"""What an operator would search for an hour, found by looking, each with its remedy."""
