//! From bytes to a parser: a module by wasm-smith, the frame around it, and the input that tells the frame what to do.

use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use wasm_smith::{Config, InstructionKind, InstructionKinds, Module};

use super::frame::{INPUT_BYTES, Manner, SHAPE, around};
use super::messages;
use super::soften::soften;
use crate::Dice;

/// How often what is generated may go round or call itself before it is ended, where it is.
const TURNS: u32 = 40;
/// Bytes of an instruction to the frame, and where they end: what follows are schema and batch.
const WORD_BYTES: usize = 48;
const MESSAGES_AT: usize = 1024;
/// How many arguments are chance: all, one in so many less one, next to none.
const WILD: [u32; 7] = [0, 15, 127, 511, 4095, 0x7fff_ffff, 0x7fff_ffff];

/// A parser that was generated, and an input for it.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The component.
    pub component: Vec<u8>,
    /// The input.
    pub input: Vec<u8>,
    /// Whether a record that kills it is quarantined.
    pub isolates: bool,
}

/// Generates a parser. None: the bytes stand for no module.
pub fn generate(bytes: &[u8]) -> Option<Generated> {
    from(&mut Unstructured::new(bytes)).ok()
}

fn from(bytes: &mut Unstructured<'_>) -> Result<Generated> {
    let manner = match bytes.int_in_range(0..=15)? {
        0 => Manner::Bare,
        1 | 2 => Manner::Parses,
        _ => Manner::Framed,
    };
    let isolates = bytes.ratio(1, 6)?;
    let mut dice = Dice::new(bytes.arbitrary()?);
    let (ends, is_soft) = (bytes.ratio(15, 16)?, bytes.ratio(7, 8)?);
    let mut module = Module::new(config(bytes)?, bytes)?;
    let fuel = if ends { module.ensure_termination(TURNS).ok() } else { None };
    let module = match fuel.filter(|_| is_soft) {
        Some(fuel) => soften(&module.to_bytes(), fuel, TURNS, "work").expect("wasm-smith makes modules"),
        None => module.to_bytes(),
    };
    Ok(Generated { component: around(&module, manner), input: input(&mut dice), isolates })
}

/// What modules are made of: nothing that the sandbox has not, and few of anything.
fn config(bytes: &mut Unstructured<'_>) -> Result<Config> {
    Ok(Config {
        module_shape: Some(SHAPE.clone()),
        allowed_instructions: instructions(bytes)?,
        disallow_traps: bytes.ratio(7, 8)?,
        allow_floats: bytes.ratio(3, 4)?,
        simd_enabled: bytes.ratio(1, 2)?,
        allow_start_export: bytes.ratio(1, 16)?,
        max_instructions: 40,
        max_funcs: 50,
        max_types: 30,
        max_globals: 4,
        max_memories: 2,
        max_memory32_bytes: 8 << 20,
        max_tables: 2,
        max_table_elements: 1000,
        max_data_segments: 3,
        max_element_segments: 3,
        max_elements: 10,
        bulk_memory_enabled: true,
        multi_value_enabled: true,
        sign_extension_ops_enabled: true,
        saturating_float_to_int_enabled: true,
        extended_const_enabled: true,
        reference_types_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        relaxed_simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        compact_imports_enabled: false,
        ..Config::default()
    })
}

/// Calls always; of the rest a few kinds. The fewer there are, the more of what is generated are calls.
fn instructions(bytes: &mut Unstructured<'_>) -> Result<InstructionKinds> {
    use InstructionKind::{Control, Memory, Numeric, Parametric, Table, Variable, Vector};
    let mut kinds = vec![Control, Parametric];
    for (kind, one_in) in [(Variable, 2), (Memory, 4), (Table, 8), (Numeric, 8), (Vector, 16)] {
        if bytes.ratio(1, one_in)? {
            kinds.push(kind);
        }
    }
    Ok(InstructionKinds::new(&kinds))
}

/// What the frame is told: how wild calls are, then to let the module work, now and then to make a call itself, and mostly to
/// commit at the end.
fn input(dice: &mut Dice) -> Vec<u8> {
    static MESSAGES: LazyLock<(Vec<u8>, Vec<u8>, usize)> = LazyLock::new(messages::of_one_row);
    let (schema, batch, span_at) = &*MESSAGES;
    let batch_at = MESSAGES_AT + schema.len().next_multiple_of(8);
    let mut input = vec![0xff; INPUT_BYTES];
    let place =
        |input: &mut Vec<u8>, at: usize, bytes: &[u8]| input[at..at + bytes.len()].copy_from_slice(bytes);
    place(&mut input, MESSAGES_AT, schema);
    place(&mut input, batch_at, batch);

    let wild = WILD[dice.below(WILD.len())];
    let (schema_at, span_at) = (MESSAGES_AT as u64, (batch_at + span_at) as u64);
    let set = [
        batch.len() as u64,
        span_at,
        dice.roll(),
        wild.into(),
        schema_at,
        schema.len() as u64,
        batch_at as u64,
    ];
    let mut words = vec![word(15, set)];
    for _ in 0..4 + dice.below(13) {
        words.push(word(14, std::array::from_fn(|_| dice.roll())));
    }
    if dice.below(8) == 0 {
        let kind = u8::try_from(dice.below(14)).unwrap_or(0);
        let numbers = std::array::from_fn(|_| odd(dice));
        words.insert(1 + dice.below(words.len()), word(kind, numbers));
    }
    if dice.below(8) > 0 {
        words.push(word(16, [0; 7]));
    }
    for (at, word) in words.iter().enumerate() {
        place(&mut input, at * WORD_BYTES, word);
    }
    input
}

/// Numbers at edges, small ones, and any.
fn odd(dice: &mut Dice) -> u64 {
    let edges =
        [0, 1, 2, 64, 2048, 4096, 65_535, 65_536, 262_143, 0x7fff_ffff, 0xffff_ffff, u64::MAX, 1 << 63];
    match dice.below(3) {
        0 => dice.roll(),
        1 => dice.roll() % 5000,
        _ => edges[dice.below(edges.len())],
    }
}

/// One thing that the frame is told: what, two numbers of 64 bits and five of 32.
fn word(kind: u8, numbers: [u64; 7]) -> [u8; WORD_BYTES] {
    let mut bytes = [0; WORD_BYTES];
    bytes[0] = kind;
    let [a, b, short @ ..] = numbers;
    bytes[8..16].copy_from_slice(&a.to_le_bytes());
    bytes[16..24].copy_from_slice(&b.to_le_bytes());
    for (at, number) in short.iter().enumerate() {
        bytes[24 + at * 4..28 + at * 4].copy_from_slice(&number.to_le_bytes()[..4]);
    }
    bytes
}
