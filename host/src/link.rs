//! The socket between supervisor and worker: whole messages, with descriptors in hand. Each message is JSON of a fixed shape
//! and of bounded size, since one end of it may be in enemy hands.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use casparian_core::guest_text::GuestText;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// Most bytes of one message.
pub(crate) const MESSAGE_BYTES_MAX: usize = 128 * 1024;
/// Most descriptors that come with one message.
const FDS_MAX: usize = 4;

/// The socket does not carry what it should.
#[derive(Debug, Error)]
pub(crate) enum LinkFault {
    #[error("message bytes: limit {MESSAGE_BYTES_MAX}, wanted {bytes}")]
    TooLarge { bytes: usize },
    #[error("a message of another shape arrived: {0}")]
    Shape(GuestText),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Most bytes of what is wrong with a message. Some of it are words of whoever sent it.
const WHY_BYTES_MAX: usize = 512;

impl From<serde_json::Error> for LinkFault {
    fn from(error: serde_json::Error) -> Self {
        Self::Shape(GuestText::new(&error.to_string(), WHY_BYTES_MAX))
    }
}

impl From<rustix::io::Errno> for LinkFault {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Io(errno.into())
    }
}

/// Returns a message as it is sent, if it may be.
pub(crate) fn pack<T: Serialize>(message: &T) -> Result<Vec<u8>, LinkFault> {
    let bytes = serde_json::to_vec(message)?;
    match bytes.len() {
        too_many if too_many > MESSAGE_BYTES_MAX => Err(LinkFault::TooLarge { bytes: too_many }),
        _ => Ok(bytes),
    }
}

/// One end of the socket.
pub(crate) struct Link(OwnedFd);

/// What waiting for a message came to.
pub(crate) enum Received<T> {
    Message(T, Vec<OwnedFd>),
    /// The other end is gone.
    Closed,
    /// Nothing came in time.
    Nothing,
}

impl Link {
    /// Opens a socket: our end, and the one for a child.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self(ours), theirs))
    }

    /// Takes the end that a parent left us.
    pub(crate) fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Returns another handle of the same end.
    pub(crate) fn share(&self) -> io::Result<Self> {
        Ok(Self(self.0.try_clone()?))
    }

    /// Sends one message. Waits while the other end is behind.
    pub(crate) fn send<T: Serialize>(&self, message: &T, fds: &[BorrowedFd<'_>]) -> Result<(), LinkFault> {
        self.send_with(message, fds, SendFlags::empty())
    }

    /// Sends one message to an end that may not be listening. Fails rather than waits.
    pub(crate) fn send_now<T: Serialize>(
        &self,
        message: &T,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(), LinkFault> {
        self.send_with(message, fds, SendFlags::DONTWAIT)
    }

    fn send_with<T: Serialize>(
        &self,
        message: &T,
        fds: &[BorrowedFd<'_>],
        flags: SendFlags,
    ) -> Result<(), LinkFault> {
        self.send_bytes(&pack(message)?, fds, flags)
    }

    fn send_bytes(&self, bytes: &[u8], fds: &[BorrowedFd<'_>], flags: SendFlags) -> Result<(), LinkFault> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(io::Error::other("too many descriptors for one message").into());
        }
        let flags = SendFlags::NOSIGNAL | flags;
        retry_on_intr(|| sendmsg(&self.0, &[IoSlice::new(bytes)], &mut control, flags))?;
        Ok(())
    }

    /// Sends a message that [`pack`] has made.
    pub(crate) fn send_packed(&self, packed: &[u8]) -> Result<(), LinkFault> {
        self.send_bytes(packed, &[], SendFlags::empty())
    }

    /// Waits for a message, for ever.
    pub(crate) fn receive<T: DeserializeOwned>(&self) -> Result<Received<T>, LinkFault> {
        let mut bytes = match self.next_bytes()? {
            None => return Ok(Received::Closed),
            Some(too_many) if too_many > MESSAGE_BYTES_MAX => {
                return Err(LinkFault::TooLarge { bytes: too_many });
            }
            Some(bytes) => vec![0; bytes],
        };
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let got = retry_on_intr(|| recvmsg(&self.0, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags));
        let got = match got {
            Err(rustix::io::Errno::CONNRESET) => return Ok(Received::Closed),
            got => got?,
        };
        if got.bytes == 0 {
            return Ok(Received::Closed);
        }
        if got.flags.contains(ReturnFlags::TRUNC) {
            return Err(LinkFault::TooLarge { bytes: MESSAGE_BYTES_MAX + 1 });
        }
        let mut fds = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                fds.extend(rights);
            }
        }
        let message = serde_json::from_slice(bytes.get(..got.bytes).unwrap_or_default())?;
        Ok(Received::Message(message, fds))
    }

    /// Waits for a message and says how long it is, which is still to be received; `None` where nobody is there any more. Clearing
    /// room for the longest there may be would take longer than reading most.
    fn next_bytes(&self) -> io::Result<Option<usize>> {
        let flags = RecvFlags::PEEK | RecvFlags::TRUNC;
        let mut control = RecvAncillaryBuffer::new(&mut []);
        match retry_on_intr(|| recvmsg(&self.0, &mut [], &mut control, flags)) {
            Err(rustix::io::Errno::CONNRESET) => Ok(None),
            Ok(next) if next.bytes == 0 => Ok(None),
            next => Ok(Some(next?.bytes)),
        }
    }

    /// Waits for a message until `deadline`.
    pub(crate) fn receive_until<T: DeserializeOwned>(
        &self,
        deadline: Instant,
    ) -> Result<Received<T>, LinkFault> {
        let left = deadline.saturating_duration_since(Instant::now());
        if !self.is_readable_within(left)? {
            return Ok(Received::Nothing);
        }
        self.receive()
    }

    fn is_readable_within(&self, wait: Duration) -> io::Result<bool> {
        let wait = Timespec::try_from(wait).unwrap_or(Timespec { tv_sec: 3600, tv_nsec: 0 });
        let mut fds = [PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::IN)];
        match poll(&mut fds, Some(&wait)) {
            // A signal is no message; the caller asks again.
            Err(rustix::io::Errno::INTR) => Ok(false),
            ready => Ok(ready? > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_whole_with_its_descriptors() {
        let (ours, theirs) = Link::pair().expect("a socket");
        let theirs = Link::from_fd(theirs);
        let file = tempfile::tempfile().expect("a file");
        ours.send(&"hello", &[file.as_fd()]).expect("sent");
        match theirs.receive::<String>().expect("received") {
            Received::Message(text, fds) => assert_eq!((text.as_str(), fds.len()), ("hello", 1)),
            _ => panic!("a message was sent"),
        }
    }

    #[test]
    fn a_message_of_another_shape_steers_no_terminal() {
        let (ours, theirs) = Link::pair().expect("a socket");
        ours.send(&serde_json::json!({"Answer\u{9b}2J": 1}), &[]).expect("sent");
        let refused = Link::from_fd(theirs).receive::<crate::orders::News>().err().expect("no news");
        assert!(refused.to_string().contains("Answer\\u{9b}2J"), "{refused:?}");
    }

    #[test]
    fn a_message_past_its_bound_is_not_sent() {
        let (ours, _theirs) = Link::pair().expect("a socket");
        let refused = ours.send(&"x".repeat(MESSAGE_BYTES_MAX), &[]).expect_err("too large");
        assert_eq!(refused.to_string(), "message bytes: limit 131072, wanted 131074");
    }

    #[test]
    fn an_end_that_does_not_listen_is_not_waited_for() {
        let (ours, _theirs) = Link::pair().expect("a socket");
        let refused = (0..100_000).find_map(|_| ours.send_now(&"answer", &[]).err()).expect("it fills up");
        assert!(matches!(refused, LinkFault::Io(error) if error.kind() == io::ErrorKind::WouldBlock));
    }

    #[test]
    fn silence_ends_at_the_deadline_and_a_closed_end_is_told_apart() {
        let (ours, theirs) = Link::pair().expect("a socket");
        let soon = || Instant::now() + Duration::from_millis(5);
        assert!(matches!(ours.receive_until::<String>(soon()), Ok(Received::Nothing)));
        drop(theirs);
        assert!(matches!(ours.receive_until::<String>(soon()), Ok(Received::Closed)));
    }
}
