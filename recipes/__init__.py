"""How the built-in models are made: the procedural world, the autoencoders, the backbones."""
