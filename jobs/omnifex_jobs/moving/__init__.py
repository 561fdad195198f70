"""How a job comes, moves from state to state, and ends."""
