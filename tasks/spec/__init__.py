"""What the owner of a model wrote, and the grid of event time that follows from it."""
