"""The gate for a target that is a number."""
