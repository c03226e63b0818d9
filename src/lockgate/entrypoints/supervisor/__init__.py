"""`lockgate up`: one command that starts the processes of a home, keeps them running, and takes them down together."""
