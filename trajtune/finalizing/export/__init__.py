"""From torch to the ONNX file that is shipped, and proof that nothing was lost."""
