"""Scheduling: which calls run next, by what they cost and when they are due."""
