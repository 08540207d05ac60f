"""What a terminal calls: one module for each command, and what these share."""
