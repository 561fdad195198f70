"""Where jobs are kept: the two databases, their tables, and what each needs."""
