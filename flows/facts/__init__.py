"""What a step found out, one type a module.

Phases and later steps name these types, and a step takes the code of its own alone into its key:
a change to one of them does no other step anew.
"""
