//! Where the threads of guests and the judge's meet: guests say words about ranges, as many at a time as there are threads, and the
//! judge hears them range after range, in the order of the input.
//!
//! The range that is heard streams: little of it waits. What is said of later ranges waits until it is their turn, up to a bound for
//! all of them. Nobody can wait for ever: ranges are taken in their order, so the one that is heard is always being parsed or at
//! its end, and it is never kept waiting for room that others take.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What may wait of the range that is heard, in bytes: two batches of the usual size.
const HEARD_BYTES: u64 = 512 << 10;
/// How many ranges may be taken ahead of the one that is heard, for each thread. Ranges may say nothing at all.
const AHEAD_RANGES: usize = 4;
/// What must wait of the range that is heard before the judge is woken for it, in bytes. A small input is heard in one go: to wake
/// a thread takes longer than most words.
const WORTH_WAKING_BYTES: u64 = 16 << 10;
/// What a word counts for at least.
const WORD_BYTES: u64 = 256;

/// Nobody wants to hear of this range any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unheard;

/// A thread is gone that had a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost;

/// The meeting place of one input.
pub(super) struct Board<W> {
    state: Mutex<State<W>>,
    /// The judge waits for words.
    spoken: Condvar,
    /// Guests wait for room.
    room: Condvar,
    ahead_bytes_max: u64,
    ahead_ranges_max: usize,
}

struct State<W> {
    /// How many ranges there are to be parsed: one, until it is known.
    ranges: usize,
    /// How many were taken. `heard < taken`, but where all have been heard.
    taken: usize,
    /// The one that is heard.
    heard: usize,
    /// What waits, from the one that is heard on.
    queues: BTreeMap<usize, Queue<W>>,
    /// What waits of ranges behind the one that is heard.
    ahead_bytes: u64,
    judge_waits: bool,
    guests_waiting: usize,
    is_over: bool,
    is_lost: bool,
}

struct Queue<W> {
    words: Vec<W>,
    bytes: u64,
}

impl<W> Default for Queue<W> {
    fn default() -> Self {
        Self { words: Vec::new(), bytes: 0 }
    }
}

impl<W> Board<W> {
    /// Opens a board with its first range taken. Of ranges ahead of the one that is heard so many bytes may wait for each of
    /// `threads`.
    pub(super) fn new(threads: usize, ahead_bytes_max: u64) -> Self {
        Self {
            state: Mutex::new(State {
                ranges: 1,
                taken: 1,
                heard: 0,
                queues: BTreeMap::new(),
                ahead_bytes: 0,
                judge_waits: false,
                guests_waiting: 0,
                is_over: false,
                is_lost: false,
            }),
            spoken: Condvar::new(),
            room: Condvar::new(),
            ahead_bytes_max: ahead_bytes_max.saturating_mul(threads as u64),
            ahead_ranges_max: AHEAD_RANGES.saturating_mul(threads),
        }
    }

    /// Says how many ranges there are.
    pub(super) fn plan(&self, ranges: usize) {
        self.state().ranges = ranges;
    }

    /// Says that the run ends with this range, whatever becomes of later ones.
    pub(super) fn end_with(&self, range: usize) {
        let mut state = self.state();
        state.ranges = state.ranges.min(range.saturating_add(1));
        self.make_room(&state);
    }

    /// Takes the next range, once it is near enough to the one that is heard. None where there is none left.
    pub(super) fn take(&self) -> Option<usize> {
        let mut state = self.state();
        while !state.is_over && state.taken < state.ranges {
            if state.taken <= state.heard || self.has_room_ahead(&state) {
                state.taken += 1;
                return Some(state.taken - 1);
            }
            state = self.wait_for_room(state);
        }
        None
    }

    /// Says a word about a range, once there is room for it.
    pub(super) fn say(&self, range: usize, word: W, bytes: u64) -> Result<(), Unheard> {
        let mut state = self.state();
        while state.is_wanted(range) && !state.has_room(range, bytes.max(WORD_BYTES), self.ahead_bytes_max) {
            // Only the judge makes room.
            self.wake(&state);
            state = self.wait_for_room(state);
        }
        let state = self.put(state, range, word, bytes)?;
        if state.queues.get(&state.heard).is_some_and(|queue| queue.bytes >= WORTH_WAKING_BYTES) {
            self.wake(&state);
        }
        Ok(())
    }

    /// Says a word that is not to wait for others.
    pub(super) fn say_now(&self, range: usize, word: W, bytes: u64) -> Result<(), Unheard> {
        self.say(range, word, bytes)?;
        self.wake(&self.state());
        Ok(())
    }

    /// Says a word about a range, whether there is room or not. There are few of these, or they are bounded by themselves.
    pub(super) fn tell(&self, range: usize, word: W, bytes: u64) {
        // Who is not listening does not miss it.
        if let Ok(state) = self.put(self.state(), range, word, bytes) {
            self.wake(&state);
        }
    }

    /// Waits for words about the range that is heard, and takes all there are.
    pub(super) fn hear(&self) -> Result<Vec<W>, Lost> {
        let mut state = self.state();
        loop {
            let heard = state.heard;
            if let Some(queue) = state.queues.remove(&heard) {
                self.make_room(&state);
                return Ok(queue.words);
            }
            if state.is_lost {
                return Err(Lost);
            }
            state.judge_waits = true;
            state = self.spoken.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.judge_waits = false;
        }
    }

    /// Goes on to hear the next range.
    pub(super) fn go_on(&self) {
        let mut state = self.state();
        state.heard += 1;
        let next = state.heard;
        let waited = state.queues.get(&next).map_or(0, |queue| queue.bytes);
        state.ahead_bytes = state.ahead_bytes.saturating_sub(waited);
        self.make_room(&state);
    }

    /// Hears nothing any more.
    pub(super) fn hang_up(&self) {
        let mut state = self.state();
        state.is_over = true;
        state.queues.clear();
        self.make_room(&state);
    }

    /// Says that a thread is gone.
    pub(super) fn lose(&self) {
        self.state().is_lost = true;
        self.spoken.notify_one();
    }

    /// Whether another range may be taken ahead. Some words are told whether there is room or not.
    fn has_room_ahead(&self, state: &State<W>) -> bool {
        state.taken <= state.heard.saturating_add(self.ahead_ranges_max)
            && state.ahead_bytes < self.ahead_bytes_max
    }

    fn put<'a>(
        &self,
        mut state: MutexGuard<'a, State<W>>,
        range: usize,
        word: W,
        bytes: u64,
    ) -> Result<MutexGuard<'a, State<W>>, Unheard> {
        if !state.is_wanted(range) {
            return Err(Unheard);
        }
        let bytes = bytes.max(WORD_BYTES);
        if range != state.heard {
            state.ahead_bytes = state.ahead_bytes.saturating_add(bytes);
        }
        let queue = state.queues.entry(range).or_default();
        queue.words.push(word);
        queue.bytes = queue.bytes.saturating_add(bytes);
        Ok(state)
    }

    /// Wakes the judge, if it waits for words and there are any.
    fn wake(&self, state: &State<W>) {
        if state.judge_waits && state.queues.contains_key(&state.heard) {
            self.spoken.notify_one();
        }
    }

    fn wait_for_room<'a>(&self, mut state: MutexGuard<'a, State<W>>) -> MutexGuard<'a, State<W>> {
        state.guests_waiting += 1;
        state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.guests_waiting -= 1;
        state
    }

    fn make_room(&self, state: &State<W>) {
        if state.guests_waiting > 0 {
            self.room.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State<W>> {
        // Nothing here panics between one change and the next.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W> State<W> {
    fn is_wanted(&self, range: usize) -> bool {
        !self.is_over && range < self.ranges
    }

    fn has_room(&self, range: usize, bytes: u64, ahead_bytes_max: u64) -> bool {
        if range != self.heard {
            return self.ahead_bytes.saturating_add(bytes) <= ahead_bytes_max;
        }
        // However large it is, a word that nothing waits before can be said.
        self.queues.get(&range).is_none_or(|queue| queue.bytes.saturating_add(bytes) <= HEARD_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    /// What a word is in these tests: of which range, which one, whether it is the last.
    type Word = (usize, usize, bool);

    /// Has threads say so many words of each range, and hears ranges up to `until`. Bounds are as small as they can be.
    fn play(ranges: &[usize], threads: usize, ahead_bytes: u64, until: usize) -> Vec<Word> {
        let board = Arc::new(Board::new(threads, ahead_bytes));
        board.plan(ranges.len());
        let speak = |board: &Board<Word>, range: usize, words: usize| {
            let said = (0..words).try_for_each(|at| board.say(range, (range, at, false), 1 << 19));
            board.tell(range, (range, words, true), 0);
            said
        };
        thread::scope(|scope| {
            for lane in 0..threads {
                let board = Arc::clone(&board);
                scope.spawn(move || {
                    if lane == 0 {
                        let _ = speak(&board, 0, ranges[0]);
                    }
                    while let Some(range) = board.take() {
                        thread::yield_now();
                        if speak(&board, range, ranges[range]).is_err() {
                            return;
                        }
                    }
                });
            }
            let mut heard: Vec<Word> = Vec::new();
            while heard.iter().filter(|(.., is_last)| *is_last).count() < until {
                let words = board.hear().expect("nobody is lost");
                if words.last().is_some_and(|(.., is_last)| *is_last) {
                    board.go_on();
                }
                heard.extend(words);
            }
            board.hang_up();
            heard
        })
    }

    fn all(ranges: &[usize]) -> Vec<Word> {
        let words = |range: usize, words: usize| (0..=words).map(move |at| (range, at, at == words));
        ranges.iter().enumerate().flat_map(|(range, count)| words(range, *count)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn words_are_heard_in_the_order_of_ranges_whatever_the_threads_and_the_room(
            ranges in prop::collection::vec(0..12_usize, 1..40), threads in 1..6_usize, room in 0..6_u64
        ) {
            prop_assert_eq!(play(&ranges, threads, room << 19, ranges.len()), all(&ranges));
        }

        #[test]
        fn who_hangs_up_ends_everybody(
            ranges in prop::collection::vec(0..12_usize, 1..40), threads in 1..6_usize, until in 0..40_usize
        ) {
            let until = until.min(ranges.len());
            prop_assert_eq!(play(&ranges, threads, 1 << 20, until), all(&ranges[..until]));
        }
    }

    #[test]
    fn behind_a_range_that_the_run_ends_with_none_is_taken_or_heard_of() {
        let board = Board::new(2, 1 << 20);
        board.plan(10);
        assert_eq!((board.take(), board.take()), (Some(1), Some(2)));
        board.end_with(1);
        assert_eq!(board.take(), None);
        assert_eq!((board.say(1, "heard", 1), board.say(2, "not", 1)), (Ok(()), Err(Unheard)));
    }

    #[test]
    fn what_is_told_whether_there_is_room_or_not_keeps_others_from_being_taken() {
        let board = Board::new(1, 1 << 20);
        board.plan(4);
        assert_eq!(board.take(), Some(1));
        board.tell(1, "a long story", 1 << 20);
        thread::scope(|scope| {
            let waits = scope.spawn(|| board.take());
            board.tell(0, "the end", 0);
            assert_eq!(board.hear(), Ok(vec!["the end"]));
            assert_eq!(board.state().taken, 2, "the second range waits for room");
            board.go_on();
            assert_eq!(waits.join().ok(), Some(Some(2)));
        });
    }

    #[test]
    fn a_thread_that_is_gone_is_not_waited_for() {
        let board = Board::new(1, 0);
        board.tell(0, "its last word", 1);
        board.lose();
        assert_eq!(board.hear(), Ok(vec!["its last word"]));
        assert_eq!(board.hear(), Err(Lost));
    }
}
