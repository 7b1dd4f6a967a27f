"""What is measured and shown: metrics, charts, the page."""
