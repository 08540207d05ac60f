"""Whether the ledger is what it says: who wrote it, whether they might, and what became of it."""
