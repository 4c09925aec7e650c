"""The dataset stage: splits careers in time, encodes titles and examples, and writes a snapshot."""
