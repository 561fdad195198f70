"""From the forms that people have models in to folders in the diffusers layout."""
