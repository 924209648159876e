//! The wire guard, met by messages that arrow-ipc wrote and that were then spoilt.

mod allocations;
mod forge;
mod golden;
mod honest;
mod hostile;
mod oracle;
mod vectors;
