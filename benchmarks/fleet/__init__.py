"""Fleets: how few of their promotions are so by chance, how fast they are released and answer."""
