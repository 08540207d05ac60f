"""The rows of a window: read as Arrow from files or SQL, typed, keyed, joined to their labels."""
