"""The procedural world: scenes drawn at random, rendered exactly, and described in phrases."""
