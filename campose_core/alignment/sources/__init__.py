"""What files, recordings and images say of the metric frame, one class each."""
