"""The release of a fleet: many small models of one contract, a shard of them at a time."""
