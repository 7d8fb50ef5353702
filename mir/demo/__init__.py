"""A made-up library, rendered by our own code, put through the real chain, and answered beside the truth.

`glottis`, `voice` and `melody` sing; `drums`, `bass` and `harmony` play; `room` mixes; `library` says who
plays what with whom and writes the files; `run` treats them like anybody's music; `report` and `pictures`
show the answers.
"""
