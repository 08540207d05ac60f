"""The ledger's schema, one file for each step; a released file is never changed."""
