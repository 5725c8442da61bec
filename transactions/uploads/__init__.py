"""Files of transactions that people upload: read, agreed on, checked and imported, step by step."""
