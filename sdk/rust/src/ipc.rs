//! The wire: Arrow IPC messages, written by hand.

/// The body of a record batch message that is being written.
pub struct Body {}

impl Body {
    pub(crate) fn node(&mut self, rows: u32, present: usize, at: impl Iterator<Item = u32>) {
        let _ = (rows, present, at.count());
        unimplemented!()
    }
    pub(crate) fn buffer(&mut self, len: usize) -> &mut [u8] {
        let _ = len;
        unimplemented!()
    }
    pub(crate) fn buffer_of(&mut self, bytes: &[u8]) {
        let _ = bytes;
        unimplemented!()
    }
    pub(crate) fn offsets<const W: usize>(&mut self, rows: u32, cells: &[(u32, u32)], put: impl Fn(u32) -> [u8; W]) {
        let _ = (rows, cells, put(0));
        unimplemented!()
    }
}
