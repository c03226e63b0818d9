"""What travels over HTTP: inference requests and answers, rows, labels, problems."""
