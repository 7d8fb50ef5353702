"""What the retrieval benchmarks share: cached descriptors, separators that never heard a track, an equaliser."""
