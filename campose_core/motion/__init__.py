"""How a body moves between images: odometry, an IMU, chains of poses."""
