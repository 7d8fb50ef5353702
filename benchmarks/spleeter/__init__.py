"""Real Spleeter 2.4.2 as a reference: a worker process of its own Python, and ours beside it."""
