"""Prism: the built-in models and the small language that they understand."""
