"""Guarding: plugins that misbehave are noticed, named, and kept from other jobs."""
