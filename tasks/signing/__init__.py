"""Keys, the signatures made with them, and the digest of what is signed."""
