"""Durability: the outputs of calls recorded, and given again when a job runs again."""
