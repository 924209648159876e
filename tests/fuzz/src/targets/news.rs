//! What a worker may say to its supervisor: it is read or refused, and what is read is said again as it was.

use casparian_host::doors;

use crate::Target;

pub(super) const TARGET: Target = Target { name: "news", bytes_max: 16_384, run, seeds };

fn seeds() -> Vec<Vec<u8>> {
    doors::samples()
}

fn run(message: &[u8]) {
    if let Some(said) = doors::hear(message) {
        assert_eq!(doors::hear(&said).as_ref(), Some(&said));
    }
}
