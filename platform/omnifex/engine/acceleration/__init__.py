"""Acceleration: a model's settings for running its backbone faster."""
