"""The data sets that localization is published on: their scenes as a plan, and the published numbers beside ours."""
