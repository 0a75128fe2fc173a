"""A draft of a model from a table that nobody here has seen: contract and policy as texts.

What needs the labels of rows, leaks and floors, is looked for without the holdout.
"""
