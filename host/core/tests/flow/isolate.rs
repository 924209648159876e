//! Going on behind a trap, with fake instances and the real intake, flow and ledger. The oracle looks at the records alone, by
//! the boundaries of the parser's `resync`: a poisonous one is held, every other one is accepted once and in order, and every
//! byte is in its class.

use casparian_core::fault::{Blamed as _, Span};
use casparian_core::flow::Flow;
use casparian_core::guest_text::GuestText;
use casparian_core::id::TableName;
use casparian_core::intake::{Intake, Killer, Refusal, Said, SkipKind, TableId};
use casparian_core::isolate::{Cause, Company, Final, Instances, Isolation, OnTrap, Reason, Toll};
use casparian_core::ledger::ByteClasses;
use casparian_core::limits::Limits;
use casparian_core::merge::{Merge, MergeFault};

use super::guest::{batch_message, schema_message};
use super::oracle::{Row, table_name};
use super::seed::{Seed, seeds};
use super::{Collect, CollectHeld, Held, Left, description, oracle};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Good,
    Blank,
    /// Ends every instance.
    Poison(Cause),
    /// Ends an instance that has anything else to read.
    Shy,
    /// Burns so much fuel.
    Dear(u64),
    /// Breaks a rule.
    Refused,
}

#[derive(Debug)]
struct Lines {
    lines: Vec<(Span, Kind)>,
    bytes: u64,
}

impl Lines {
    fn of(kinds: impl IntoIterator<Item = (u64, Kind)>) -> Self {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        for (length, kind) in kinds {
            lines.push((Span { offset: bytes, length }, kind));
            bytes += length;
        }
        Self { lines, bytes }
    }

    fn draw(seed: &mut Seed) -> Self {
        const CAUSES: [Cause; 4] = [Cause::Trap, Cause::Fuel, Cause::Memory, Cause::Stack];
        let (count, mut poison) = (seed.below(400), 0);
        let kinds: Vec<(u64, Kind)> = (0..count)
            .map(|_| {
                let kind = match seed.below(60) {
                    0 if poison < 16 => Kind::Poison(CAUSES[seed.below(4) as usize]),
                    1 if poison < 16 => Kind::Dear(FUEL_ALONE + 1),
                    2 => Kind::Dear(seed.below(FUEL_ALONE)),
                    3 => Kind::Shy,
                    4..12 => Kind::Blank,
                    _ => Kind::Good,
                };
                poison += u64::from(kills(kind).is_some());
                (1 + seed.below(9), kind)
            })
            .collect();
        Self::of(kinds)
    }

    /// What must leave the flow, where a record is so many lines to a parser's `resync`.
    fn truth(&self, lines_per_record: usize) -> (Left, ByteClasses) {
        let mut left = Left { accepted: vec![Vec::new(); oracle::TABLES], quarantined: Vec::new() };
        let (mut classes, mut number) = (ByteClasses::default(), 0);
        for record in self.lines.chunks(lines_per_record) {
            if let Some(cause) = record.iter().find_map(|(_, kind)| kills(*kind)) {
                let length = record.iter().map(|(at, _)| at.length).sum();
                let at = Span { offset: record[0].0.offset, length };
                left.quarantined.push((number, at, None, vec![word(cause)]));
                classes.quarantined_bytes += length;
                number += 1;
                continue;
            }
            for (at, kind) in record {
                if *kind == Kind::Blank {
                    classes.skipped_bytes += at.length;
                    continue;
                }
                left.accepted[0].push((number, *at, value(*at)));
                classes.accepted_bytes += at.length;
                number += 1;
            }
        }
        (left, classes)
    }
}

/// Returns what a line by itself does to an instance.
fn kills(kind: Kind) -> Option<Cause> {
    match kind {
        Kind::Poison(cause) => Some(cause),
        Kind::Dear(fuel) if fuel > FUEL_ALONE => Some(Cause::Fuel),
        _ => None,
    }
}

/// What a fresh instance has, and one that has a record to itself: `limits` says so.
const FUEL: u64 = 100;
const FUEL_ALONE: u64 = 225;

fn limits() -> Limits {
    // No more than the rule by which fuel is handed out: reading is worth none here.
    Limits {
        fuel_base: FUEL,
        fuel_per_byte: 0,
        fuel_window_bytes: 0,
        fuel_lag_bytes: u64::MAX,
        ..Limits::default()
    }
}

fn word(cause: Cause) -> String {
    format!("{cause:?}")
}

fn value(at: Span) -> i64 {
    at.offset as i64
}

#[derive(Debug, PartialEq)]
enum End {
    Died(Cause),
    Refused,
    /// The ranges together have too much of something.
    Merged(MergeFault),
}

/// Instances of a parser of lines.
struct Fake<'a> {
    lines: &'a Lines,
    intake: Intake,
    merge: Merge,
    flow: Flow<&'a mut Collect, &'a mut CollectHeld>,
    seed: Seed,
    /// Whether it says where lines begin.
    resyncs: bool,
    /// Lines that an instance in any company reads before it dies of it.
    breath: u64,
    /// How many lines are a record to its `resync`.
    lines_per_record: usize,
    /// The instance at hand: its company, and the lines that it has read.
    instance: Option<(Company, u64)>,
    read_up_to: u64,
    /// What is left since the last commit that counted, and what a commit sets it to.
    fuel: (u64, u64),
}

impl Fake<'_> {
    fn say(&mut self, said: Result<Said, Refusal>) -> Result<(), End> {
        match self.merge.hear(said.map_err(|_| End::Refused)?) {
            Ok(said) => self.hear(said),
            Err(MergeFault::Refused(_)) => return Err(End::Refused),
            Err(fault) => return Err(End::Merged(fault)),
        }
        Ok(())
    }

    /// Goes on with a range, by an instance and an intake of its own.
    fn go_on(&mut self, range: Span, limits: &Limits) {
        if range.offset > 0 {
            let said = self.merge.begin_next(range);
            self.hear(said);
            self.instance = None;
            self.intake = Intake::new(&description(), limits, self.lines.bytes).starting_at(range.offset);
        }
    }

    fn hear(&mut self, said: Option<Said>) {
        let heard = said.map_or(Ok(()), |said| self.flow.hear(said));
        heard.expect("what passed the intake fits together");
    }

    fn commit(&mut self, up_to: u64) -> Result<(), End> {
        let before = self.intake.watermark();
        let said = self.intake.commit(up_to).map_err(|_| End::Refused)?;
        if self.intake.watermark() > before {
            self.fuel.0 = self.fuel.1.max(self.fuel.0);
        }
        said.map_or(Ok(()), |said| self.say(Ok(said)))
    }

    fn read(&mut self, range: Span, company: Company) -> Result<(), End> {
        let opened = self.intake.open(table_name(0).as_str(), &schema_message()).map_err(|_| End::Refused)?;
        if let Some(said) = opened.1 {
            self.say(Ok(said))?;
        }
        let (from, to) = (range.offset, range.offset + range.length);
        let lines = self.lines.lines.iter().filter(|(at, _)| (from..to).contains(&at.offset));
        let lines: Vec<_> = lines.copied().collect();
        let ahead = 1 + self.seed.below(300);
        let mut rows = Vec::new();
        for (at, kind) in &lines {
            self.read_up_to = self.read_up_to.max((at.offset + at.length + ahead).min(self.lines.bytes));
            self.grow_old(company)?;
            match kind {
                Kind::Poison(cause) => return Err(End::Died(*cause)),
                Kind::Shy if lines.len() > 1 => return Err(End::Died(Cause::Trap)),
                Kind::Refused => return Err(End::Refused),
                Kind::Dear(fuel) => {
                    self.fuel.0 = self.fuel.0.checked_sub(*fuel).ok_or(End::Died(Cause::Fuel))?;
                    rows.push((*at, Row { table: 0, value: Some(value(*at)), is_faulty: false }));
                }
                Kind::Blank => {
                    let said = self.intake.skip(*at, SkipKind::Blank);
                    self.say(said)?;
                }
                _ => rows.push((*at, Row { table: 0, value: Some(value(*at)), is_faulty: false })),
            }
            if self.seed.one_in(20) {
                self.emit(&mut rows)?;
            }
            if self.seed.one_in(60) {
                self.emit(&mut rows)?;
                self.commit(at.offset + at.length)?;
            }
        }
        self.emit(&mut rows)?;
        // Blank lines at the end stand without a commit.
        if lines.iter().any(|(_, kind)| *kind != Kind::Blank) || self.seed.one_in(2) {
            self.commit(to)?;
        }
        Ok(())
    }

    fn grow_old(&mut self, company: Company) -> Result<(), End> {
        let Some((_, age)) = &mut self.instance else { return Ok(()) };
        *age += 1;
        if company == Company::Any && *age > self.breath { Err(End::Died(Cause::Trap)) } else { Ok(()) }
    }

    fn emit(&mut self, rows: &mut Vec<(Span, Row)>) -> Result<(), End> {
        if rows.is_empty() {
            return Ok(());
        }
        let said = self.intake.emit(TableId(0), &batch_message(rows));
        rows.clear();
        self.say(said)
    }
}

impl Instances for Fake<'_> {
    type End = End;

    fn parse(&mut self, range: Span, company: Company, boundaries: &[u64]) -> Result<(), End> {
        if company == Company::Alone || self.instance.is_none_or(|(was, _)| was != company) {
            (self.instance, self.read_up_to) = (Some((company, 0)), 0);
        }
        let limits = limits();
        self.fuel = match company {
            Company::Sole | Company::Any => (limits.fuel_to_begin(), limits.fuel_to_begin()),
            Company::Search => (limits.fuel_in_search(range.length), 0),
            Company::Alone => (limits.fuel_alone(range.length), 0),
        };
        self.intake.begin_between(range, boundaries);
        let read = self.read(range, company);
        match read {
            Ok(()) => {
                for said in self.intake.end().map_err(|_| End::Refused)? {
                    self.say(Ok(said))?;
                }
            }
            Err(_) => self.instance = None,
        }
        read
    }

    fn resync(&mut self, after: u64, company: Company) -> Result<Option<u64>, End> {
        if self.instance.is_none_or(|(was, _)| was != company) {
            self.instance = Some((company, 0));
        }
        let records = self.lines.lines.iter().skip(self.lines_per_record).step_by(self.lines_per_record);
        let next = records.map(|(at, _)| at.offset).find(|offset| *offset > after);
        Ok(Some(next.unwrap_or(self.lines.bytes)).filter(|_| self.resyncs))
    }

    fn cause(end: &End) -> Option<Cause> {
        if let End::Died(cause) = end { Some(*cause) } else { None }
    }

    fn words(end: &End) -> (String, GuestText) {
        let word = if let End::Died(cause) = end { word(*cause) } else { String::new() };
        (word, GuestText::new("", 1))
    }

    fn watermark(&mut self) -> u64 {
        self.intake.watermark()
    }

    fn read_up_to(&mut self) -> u64 {
        self.read_up_to
    }

    fn take_back(&mut self) -> Result<(), End> {
        let said = self.intake.take_back();
        self.say(Ok(said))
    }

    fn bury(&mut self, killer: Killer) -> Result<(), End> {
        let said = self.intake.bury(killer);
        self.say(Ok(said))
    }
}

/// How the parser is made, and what is asked for.
struct Setting {
    on_trap: OnTrap,
    resyncs: bool,
    breath: u64,
    lines_per_record: usize,
    limits: Limits,
    ranges: u64,
}

impl Default for Setting {
    fn default() -> Self {
        let (on_trap, limits) = (OnTrap::Isolate, limits());
        Self { on_trap, resyncs: true, breath: u64::MAX, lines_per_record: 1, limits, ranges: 1 }
    }
}

type Played = (Left, Option<ByteClasses>, Result<(), Final<End>>, Toll);

fn play(lines: &Lines, setting: &Setting, seed: u64) -> Played {
    play_ranges(lines, setting, seed, ranges(lines, setting.ranges))
}

fn play_ranges(
    lines: &Lines,
    setting: &Setting,
    seed: u64,
    mut ranges: impl Iterator<Item = Span>,
) -> Played {
    let mut collect = Collect(Left { accepted: vec![Vec::new(); oracle::TABLES], quarantined: Vec::new() });
    let mut held = CollectHeld(Vec::new());
    let codes = oracle::FAULTS.iter().map(|fault| (*fault).to_owned()).collect();
    let wanted: Vec<TableName> = (0..oracle::TABLES).map(table_name).collect();
    let mut fake = Fake {
        lines,
        intake: Intake::new(&description(), &setting.limits, lines.bytes),
        merge: Merge::new(&setting.limits, lines.bytes),
        flow: Flow::new(&mut collect, &mut held, wanted, codes),
        seed: Seed(seed),
        resyncs: setting.resyncs,
        breath: setting.breath,
        lines_per_record: setting.lines_per_record,
        instance: None,
        read_up_to: 0,
        fuel: (0, 0),
    };
    let mut toll = Toll::default();
    let ended = ranges.try_for_each(|range| {
        fake.go_on(range, &setting.limits);
        let mut isolation = Isolation::new(setting.on_trap, &setting.limits, lines.bytes);
        let parsed = isolation.parse(&mut fake, range);
        toll = fake.merge.toll().and(isolation.toll());
        parsed?;
        let ended = fake.merge.end(isolation.toll(), isolation.restarts());
        ended.map_err(|fault| Final { end: End::Merged(fault), reason: Reason::Final })
    });
    let account = match ended {
        Ok(()) => Some(fake.flow.finish(lines.bytes).3.classes),
        Err(_) => {
            drop(fake);
            None
        }
    };
    collect.0.quarantined = held.0;
    (collect.0, account, ended, toll)
}

/// Cuts an input into ranges wherever lines begin.
fn ranges(lines: &Lines, count: u64) -> impl Iterator<Item = Span> {
    let every = lines.lines.len().div_ceil(count as usize).max(1);
    let mut cuts: Vec<u64> = lines.lines.iter().step_by(every).map(|(at, _)| at.offset).collect();
    cuts.push(lines.bytes);
    let ranges: Vec<Span> =
        cuts.windows(2).map(|cut| Span { offset: cut[0], length: cut[1] - cut[0] }).collect();
    ranges.into_iter()
}

fn good(count: usize) -> Vec<(u64, Kind)> {
    vec![(5, Kind::Good); count]
}

/// Returns why a run did not go on.
#[track_caller]
fn reason(played: Played) -> Reason {
    played.2.expect_err("it does not go on").reason
}

/// Restarts are bounded; here it is looked at what is claimed, not at what it costs.
fn without_bounds() -> Limits {
    Limits { restarts_max: u64::MAX, killers_max: u64::MAX, ..limits() }
}

#[test]
fn every_record_that_kills_is_held_and_every_other_one_is_accepted_once_in_order() {
    for seed in seeds(800) {
        let lines = Lines::draw(&mut Seed(seed));
        let setting = Setting { ranges: 1 + seed % 4, limits: without_bounds(), ..Setting::default() };
        let (left, classes, ended, toll) = play(&lines, &setting, seed);
        ended.unwrap_or_else(|end| panic!("seed {seed}: {end:?}"));
        let (truth, expected) = lines.truth(1);
        assert_eq!(left, truth, "seed {seed}, {lines:?}");
        assert_eq!(classes, Some(expected), "seed {seed}");
        let killers = left.quarantined.iter().map(|held: &Held| held.1.length);
        assert_eq!((toll.killers, toll.killer_bytes), (killers.clone().count() as u64, killers.sum()));
        assert!(toll.traps >= toll.killers, "seed {seed}: {toll:?}");
    }
}

/// One in company may be within its record when it commits: then nothing is claimed, or the same as ever.
#[test]
fn what_a_parser_that_commits_within_its_records_claims_is_the_same_in_every_run() {
    let (mut claimed, mut failed) = (0, 0);
    for seed in seeds(800) {
        let mut lines = Lines::draw(&mut Seed(seed));
        // What ends an instance only together with others would be together with others in its record.
        for (_, kind) in &mut lines.lines {
            *kind = if matches!(kind, Kind::Shy | Kind::Dear(..=FUEL_ALONE)) { Kind::Good } else { *kind };
        }
        let lines_per_record = 2 + (seed % 5) as usize;
        let setting = Setting { lines_per_record, limits: without_bounds(), ..Setting::default() };
        let (left, classes, ended, _) = play(&lines, &setting, seed);
        match ended {
            Ok(()) => {
                let truth = lines.truth(lines_per_record);
                assert_eq!((left, classes.expect("an account")), truth, "seed {seed}");
                claimed += 1;
            }
            Err(Final { reason: Reason::OffBoundary { .. }, .. }) => failed += 1,
            Err(other) => panic!("seed {seed}: {other:?}"),
        }
    }
    assert!(claimed > 100 && failed > 100, "{claimed} claimed, {failed} failed");
}

#[test]
fn a_killer_that_reaches_into_the_next_range_is_held_as_a_whole() {
    let kinds = [(5, Kind::Good), (5, Kind::Poison(Cause::Trap)), (5, Kind::Good)];
    let lines = Lines::of(kinds);
    let mut fresh = Setting::default();
    fresh.limits.killer_bytes_max = 5;
    for cut in 6..10 {
        let ranges = [Span { offset: 0, length: cut }, Span { offset: cut, length: 15 - cut }];
        let (left, classes, ended, _) = play_ranges(&lines, &fresh, 1, ranges.into_iter());
        ended.expect("it goes on");
        assert_eq!((left, classes.expect("an account")), lines.truth(1), "cut at {cut}");
    }
}

#[test]
fn an_instance_that_dies_of_age_costs_no_record() {
    let lines = Lines::of(good(1_000));
    let setting = Setting { breath: 150, ..Setting::default() };
    let (left, classes, ended, toll) = play(&lines, &setting, 3);
    ended.expect("it goes on");
    assert_eq!((left, classes.expect("an account")), lines.truth(1));
    assert!(toll.traps > 0 && toll.killers == 0, "{toll:?}");
}

#[test]
fn a_record_that_ends_instances_in_company_only_is_accepted() {
    let mut kinds = good(50);
    kinds[20].1 = Kind::Shy;
    let lines = Lines::of(kinds);
    let (left, classes, ended, toll) = play(&lines, &Setting::default(), 5);
    ended.expect("it goes on");
    assert_eq!((left, classes.expect("an account")), lines.truth(1));
    assert_eq!(toll.killers, 0);
}

#[test]
fn the_last_killer_passes_and_the_next_ends_the_run_with_its_numbers() {
    let setting = Setting { limits: Limits { killers_max: 3, ..limits() }, ..Setting::default() };
    let poisoned = |count| {
        let mut kinds = good(200);
        kinds.iter_mut().step_by(20).take(count).for_each(|kind| kind.1 = Kind::Poison(Cause::Trap));
        Lines::of(kinds)
    };
    play(&poisoned(3), &setting, 1).2.expect("the last one passes");
    let reason = reason(play(&poisoned(4), &setting, 1)).to_string();
    assert_eq!(reason, "records that kill the parser: limit 3, used 3, wanted 1 more");
}

#[test]
fn the_last_byte_of_killers_passes_and_the_next_ends_the_run() {
    let limits = Limits { killer_bytes_max: 7, ..limits() };
    let setting = Setting { limits, ..Setting::default() };
    let of = |bytes| Lines::of([(5, Kind::Good), (bytes, Kind::Poison(Cause::Stack)), (5, Kind::Good)]);
    play(&of(7), &setting, 1).2.expect("the last byte passes");
    let reason = reason(play(&of(8), &setting, 1)).to_string();
    assert_eq!(reason, "bytes of records that kill the parser: limit 7, used 0, wanted 8 more");
}

#[test]
fn restarts_that_no_record_is_to_blame_for_are_bounded() {
    let limits = Limits { restarts_max: 4, ..limits() };
    let setting = Setting { breath: 90, limits, ..Setting::default() };
    let reason = reason(play(&Lines::of(good(5_000)), &setting, 3)).to_string();
    assert_eq!(reason, "restarts behind traps: limit 4, used 4, wanted 1 more");
}

#[test]
fn bounds_on_killers_and_restarts_hold_for_all_ranges_together() {
    let mut kinds = good(200);
    kinds.iter_mut().step_by(20).take(4).for_each(|kind| kind.1 = Kind::Poison(Cause::Trap));
    let setting = Setting { limits: Limits { killers_max: 3, ..limits() }, ranges: 10, ..Setting::default() };
    let (_, _, ended, _) = play(&Lines::of(kinds.clone()), &setting, 1);
    let End::Merged(fault) = ended.expect_err("one too many").end else { panic!("another fault") };
    let message = "the parser is ended by the record at bytes 300..305 (Trap), and nothing goes on: records that kill the parser: limit 3, used 3, wanted 1 more";
    assert_eq!((fault.to_string().as_str(), fault.code()), (message, "guest-trap"));
    let setting = Setting { limits: Limits { killers_max: 4, ..limits() }, ranges: 10, ..Setting::default() };
    play(&Lines::of(kinds), &setting, 1).2.expect("the last one passes");

    let old = |restarts_max| {
        let limits = Limits { restarts_max, ..limits() };
        play(&Lines::of(good(400)), &Setting { breath: 90, limits, ranges: 4, ..Setting::default() }, 3).2
    };
    let needed = (0..100).find(|most| old(*most).is_ok()).expect("some number will do");
    assert!(needed > 1, "one range alone needs {needed}");
    let End::Merged(fault) = old(needed - 1).expect_err("one too many").end else { panic!("another fault") };
    assert!(fault.to_string().contains(&format!("limit {}, used ", needed - 1)), "{fault}");
}

#[test]
fn a_parser_that_names_no_boundary_is_not_gone_on_with() {
    let mut kinds = good(3);
    kinds[1].1 = Kind::Poison(Cause::Trap);
    let setting = Setting { resyncs: false, ..Setting::default() };
    assert!(matches!(reason(play(&Lines::of(kinds), &setting, 1)), Reason::NoBoundary { .. }));
}

#[test]
fn what_is_asked_to_fail_fails_at_the_first_trap() {
    let mut kinds = good(3);
    kinds[1].1 = Kind::Poison(Cause::Fuel);
    let setting = Setting { on_trap: OnTrap::Fail, ..Setting::default() };
    let (_, _, ended, toll) = play(&Lines::of(kinds), &setting, 1);
    let Final { end, reason } = ended.expect_err("it fails");
    assert_eq!((end, reason, toll), (End::Died(Cause::Fuel), Reason::Final, Toll::default()));
}

#[test]
fn a_refusal_is_final_and_no_record_is_blamed_for_it() {
    let mut kinds = good(3);
    kinds[1].1 = Kind::Refused;
    let (left, _, ended, _) = play(&Lines::of(kinds), &Setting::default(), 1);
    assert_eq!(ended.expect_err("it fails").end, End::Refused);
    assert_eq!(left.quarantined, []);
}

#[test]
fn what_is_taken_back_costs_nothing_of_the_output() {
    let limits = Limits { output_rows_max: 30, ..limits() };
    let mut kinds = good(31);
    kinds[30].1 = Kind::Poison(Cause::Trap);
    for seed in 0..50 {
        let setting = Setting { limits: limits.clone(), ..Setting::default() };
        play(&Lines::of(kinds.clone()), &setting, seed).2.expect("thirty rows are sent, however often");
    }
}
