"""The three roles without a run: what a request or a file asks for, answered by the method's own parts."""
