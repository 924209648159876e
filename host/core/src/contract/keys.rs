//! stub
use crate::fault::FaultReport;
use arrow_array::{Array, ArrayRef};
use std::collections::HashSet;
pub type KeyHash = [u8; 16];
pub fn hash_keys(columns: &[ArrayRef]) -> Vec<Option<KeyHash>> {
    let n = columns.first().map_or(0, |c| c.len());
    (0..n)
        .map(|i| {
            columns.iter().all(|c| c.is_valid(i)).then(|| {
                let text = columns.iter().map(|c| format!("{:?}", c.slice(i, 1))).collect::<String>();
                let mut k = [0; 16];
                k.copy_from_slice(&crate::id::Digest::of(text.as_bytes()).as_bytes().split_at(16).0);
                k
            })
        })
        .collect()
}
pub trait Scratch {
    fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), FaultReport>;
    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), FaultReport>;
}
pub struct KeySet(HashSet<KeyHash>);
impl KeySet {
    pub fn new(_: usize, _: Box<dyn FnOnce() -> Result<Box<dyn Scratch>, FaultReport> + Send>) -> Self {
        Self(HashSet::new())
    }
    pub fn contains(&mut self, key: &KeyHash) -> Result<bool, FaultReport> {
        Ok(self.0.contains(key))
    }
    pub fn insert(&mut self, key: KeyHash) -> Result<bool, FaultReport> {
        Ok(self.0.insert(key))
    }
}
