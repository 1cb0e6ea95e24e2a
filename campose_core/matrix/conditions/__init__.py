"""What makes localizing harder, each by a severity from 0 (as recorded) to 1: images in, worse images out."""
