"""Memory: one budget for all components, and what is done where it runs out."""
