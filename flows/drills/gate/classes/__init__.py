"""Drills of the gate for a target of several classes."""
