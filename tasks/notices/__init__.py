"""Who is told of what: the events of a model, the messages about them, and the channels."""
