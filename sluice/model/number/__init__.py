"""What means another thing where the target is a number."""
