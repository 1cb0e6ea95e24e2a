"""What can be opened as a recording, one class each; `campose_core.capture.recording` has the table."""
