"""Watching: what is known, shown and summed up of calls."""
