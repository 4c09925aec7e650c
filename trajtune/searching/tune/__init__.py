"""The interface to Ray Tune: searcher, scheduler, trainable, placement, demand and tracking."""
