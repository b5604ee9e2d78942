"""The pages: server-rendered, keyboard first."""
