"""What files, recordings and pictures say of the metric frame, one class each."""
