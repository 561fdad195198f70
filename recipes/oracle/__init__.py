"""Readers that tell from an artifact alone what is in it, and how much of a prompt that is."""
