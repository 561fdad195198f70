"""Control: pictures that say where things are to be, by networks beside a model's backbone."""
