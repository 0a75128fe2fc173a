"""Tables with the peculiarities of tables that people bring, on the whole way."""
