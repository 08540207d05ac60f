"""What reads input that somebody else wrote, tried with bytes that nobody would write."""
