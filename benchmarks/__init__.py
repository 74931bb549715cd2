"""What the program costs, counted or measured; run by hand."""
