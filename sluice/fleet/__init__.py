"""A fleet: many small models of one contract and one policy, one for each value of a column.

Each is taught on its own rows and judged on its own rows by the gate of every release. What is
compared with a champion shares a rate of false discoveries, and what is not better keeps its
champion. All of them are one model artifact, whose graph looks the weights up by the key.
"""
