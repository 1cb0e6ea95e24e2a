"""What an inertial measurement unit adds to poses: a filter as they come, a smoother afterwards."""
