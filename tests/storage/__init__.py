"""What the storage promises, on both engines."""
