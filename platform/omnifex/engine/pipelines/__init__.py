"""Pipelines: unmodified pipelines of diffusers, over stand-ins for their modules."""
