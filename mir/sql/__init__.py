"""SQL for analysts: macros, worked questions, forms of an answer, and the shell."""
