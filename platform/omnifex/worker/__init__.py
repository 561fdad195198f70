"""Workers: processes, or threads of one, that claim the jobs of a home and run them."""
