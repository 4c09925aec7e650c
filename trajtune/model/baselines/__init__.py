"""What the model must beat, and the best that anything could reach."""
