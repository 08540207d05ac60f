"""What the DAGs call: one module for each, and the steps that they share."""
