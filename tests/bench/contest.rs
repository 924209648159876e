//! Contenders take turns, so that what the machine does meanwhile hits all of them alike.

use crate::Outcome;
use crate::clock::Spent;

/// Somebody who does the work in one way. The turn is handed the number of the round; the warm-up has the first one's.
pub(crate) struct Contender<'a> {
    pub(crate) name: &'static str,
    pub(crate) turn: Box<dyn FnMut(usize) -> Outcome<Spent> + 'a>,
}

impl<'a> Contender<'a> {
    pub(crate) fn new(name: &'static str, turn: impl FnMut(usize) -> Outcome<Spent> + 'a) -> Contender<'a> {
        Contender { name, turn: Box::new(turn) }
    }
}

/// What a contender took, round by round.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    rounds: Vec<Spent>,
}

/// Lets every contender have a turn in each round. The first round is for warming up and does not count; each begins with
/// another contender.
pub(crate) fn contest(mut contenders: Vec<Contender<'_>>, rounds: usize) -> Outcome<Vec<Series>> {
    let count = contenders.len();
    let mut series: Vec<Series> =
        contenders.iter().map(|it| Series { name: it.name, rounds: Vec::new() }).collect();
    for round in 0..=rounds {
        for place in 0..count {
            let at = (place + round) % count;
            let spent = (contenders[at].turn)(round.saturating_sub(1))?;
            if round > 0 {
                series[at].rounds.push(spent);
            }
            let round = if round > 0 { round.to_string() } else { "warm-up".to_owned() };
            eprintln!("  {round:>7}  {:<36} {:.4} s CPU, {:.4} s", series[at].name, spent.cpu, spent.wall);
        }
    }
    Ok(series)
}

impl Series {
    pub(crate) fn cpu(&self) -> f64 {
        median(self.rounds.iter().map(|spent| spent.cpu))
    }

    pub(crate) fn wall(&self) -> f64 {
        median(self.rounds.iter().map(|spent| spent.wall))
    }

    /// Returns the least and the most CPU time.
    pub(crate) fn cpu_range(&self) -> (f64, f64) {
        let cpu = || self.rounds.iter().map(|spent| spent.cpu);
        (cpu().fold(f64::INFINITY, f64::min), cpu().fold(0.0, f64::max))
    }

    /// Returns how fast this one is where `other` is 1: the medians of CPU and wall ratios, each ratio within one round.
    pub(crate) fn speed_against(&self, other: &Series) -> Spent {
        let pairs = || other.rounds.iter().zip(&self.rounds);
        Spent {
            cpu: median(pairs().map(|(other, own)| other.cpu / own.cpu)),
            wall: median(pairs().map(|(other, own)| other.wall / own.wall)),
        }
    }
}

/// Returns the middle one of some numbers, or the mean of the two in the middle.
pub(crate) fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => (sorted[even / 2 - 1] + sorted[even / 2]) / 2.0,
    }
}
