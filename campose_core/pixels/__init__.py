"""What the bytes of an image, of an image message or of a video packet show: pixels, and back into JPEG."""
