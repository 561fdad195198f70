"""Who is next: ranks, lanes, shares, limits, and what jobs are expected to take."""
