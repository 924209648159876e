"""Is no parser at all."""
