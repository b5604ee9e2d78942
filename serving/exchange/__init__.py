"""Exchange with other annotation tools: their files, and Label Studio's protocol for models."""
