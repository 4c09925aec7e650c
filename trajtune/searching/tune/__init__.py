"""What Ray Tune sees: searcher, scheduler, trainable, placement, budget, tracking."""
