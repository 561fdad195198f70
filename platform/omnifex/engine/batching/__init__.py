"""Batching: which calls may run as one, the proof of it, and how they are joined and split."""
