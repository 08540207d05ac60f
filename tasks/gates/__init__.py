"""What a candidate must pass, each gate on its own."""
