"""Finding jobs again, and what they came from."""
