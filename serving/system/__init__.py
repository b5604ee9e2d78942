"""What of the operating system is used: files, processes, this machine, the terminal."""
