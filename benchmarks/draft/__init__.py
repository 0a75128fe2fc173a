"""What it costs to draft a model from a large table."""
