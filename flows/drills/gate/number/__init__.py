"""Drills of the gate for a target that is a number."""
