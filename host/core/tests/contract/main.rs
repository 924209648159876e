//! Contracts in files: what they say, what is wrong with them, and that nothing in a file can hurt its reader.

mod sameness;
mod strangers;
mod vectors;
