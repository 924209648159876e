//! Reads a rule: tokens in, a tree of which every part is of the kind that it is used as.

use std::ops::Range;

use super::token::{Token, tokens};
use super::tree::{Comparison, Kind, Members, Node, Operation, Shape};
use super::{EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, EXPRESSION_NODES_MAX, ExpressionFault, literal};
use crate::contract::Column;
use crate::guest_text::GuestText;

/// Words that are no names unless they stand in quotes. Case does not matter.
const RESERVED: [&str; 9] = ["AND", "OR", "NOT", "IN", "BETWEEN", "IS", "NULL", "TRUE", "FALSE"];
const FUNCTIONS: [&str; 3] = ["abs", "coalesce", "length"];

/// Whether a word is no name unless it stands in quotes.
pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}

/// Reads a rule. Returns it with the places of the columns that it names.
pub(super) fn parse(text: &str, columns: &[Column]) -> Result<(Node, Vec<usize>), ExpressionFault> {
    if text.len() > EXPRESSION_BYTES_MAX {
        return Err(ExpressionFault::too_long(text.len(), "as it is written"));
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { text, columns, tokens: &tokens, used: Vec::new(), nodes: 0, depth: 0 };
    let whole = parser.any()?;
    parser.finish(whole)
}

/// A part that has been read, and where it stands.
struct Part {
    node: Node,
    place: Range<usize>,
}

type Parsed = Result<Part, ExpressionFault>;

struct Parser<'a> {
    text: &'a str,
    columns: &'a [Column],
    /// Those that are still to be read.
    tokens: &'a [(Token, Range<usize>)],
    used: Vec<usize>,
    nodes: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn finish(self, whole: Part) -> Result<(Node, Vec<usize>), ExpressionFault> {
        if *self.peek() != Token::End {
            return Err(self.unexpected("an operator, or the end"));
        }
        self.boolean(&whole, "a rule")?;
        Ok((whole.node, self.used))
    }

    fn any(&mut self) -> Parsed {
        self.chain("OR", Self::all, Shape::Or, |shape| match shape {
            Shape::Or(parts) => Ok(parts),
            other => Err(other),
        })
    }

    fn all(&mut self) -> Parsed {
        self.chain("AND", Self::not, Shape::And, |shape| match shape {
            Shape::And(parts) => Ok(parts),
            other => Err(other),
        })
    }

    /// Reads parts with a word between them. A part that is such a chain itself is taken apart: brackets mean nothing there.
    fn chain(
        &mut self,
        word: &str,
        part: impl Fn(&mut Self) -> Parsed,
        shape: impl FnOnce(Vec<Node>) -> Shape,
        take_apart: impl Fn(Shape) -> Result<Vec<Node>, Shape>,
    ) -> Parsed {
        let first = part(self)?;
        if !self.is_word(word) {
            return Ok(first);
        }
        let start = first.place.start;
        let mut parts = Vec::new();
        let mut add = |parser: &Self, part: Part| {
            parser.boolean(&part, word)?;
            match take_apart(part.node.shape) {
                Ok(inner) => parts.extend(inner),
                Err(shape) => parts.push(Node { kind: Kind::Boolean, shape }),
            }
            Ok(part.place.end)
        };
        let mut end = add(self, first)?;
        while self.eat_word(word) {
            let next = part(self)?;
            end = add(self, next)?;
        }
        self.node(Kind::Boolean, shape(parts), start..end)
    }

    fn not(&mut self) -> Parsed {
        let start = self.place().start;
        if !self.eat_word("NOT") {
            return self.predicate();
        }
        let inner = self.nested(Self::not)?;
        self.boolean(&inner, "NOT")?;
        self.node(Kind::Boolean, Shape::Not(Box::new(inner.node)), start..inner.place.end)
    }

    fn predicate(&mut self) -> Parsed {
        let left = self.sum()?;
        let place = self.place();
        let found = if let Some(comparison) = self.eat_comparison() {
            let right = self.sum()?;
            self.comparison(comparison, left, right, place)?
        } else if self.eat_word("IS") {
            self.is_null(left)?
        } else {
            let start = left.place.start;
            let is_negated = self.eat_word("NOT");
            let found = if self.eat_word("IN") {
                self.is_in(left)?
            } else if self.eat_word("BETWEEN") {
                self.between(left, place)?
            } else if is_negated {
                return Err(self.unexpected("IN or BETWEEN"));
            } else {
                return Ok(left);
            };
            if is_negated { self.negation(found, start)? } else { found }
        };
        self.no_chain()?;
        Ok(found)
    }

    fn no_chain(&self) -> Result<(), ExpressionFault> {
        let is_next = self.comparison_ahead().is_some()
            || ["IS", "IN", "BETWEEN", "NOT"].iter().any(|word| self.is_word(word));
        if !is_next {
            return Ok(());
        }
        Err(ExpressionFault::new(self.place().start, "a comparison is not compared with something else")
            .with_hint("join two comparisons with AND: `a < b AND b < c`"))
    }

    fn negation(&mut self, inner: Part, start: usize) -> Parsed {
        let end = inner.place.end;
        self.node(Kind::Boolean, Shape::Not(Box::new(inner.node)), start..end)
    }

    fn is_null(&mut self, left: Part) -> Parsed {
        let is_negated = self.eat_word("NOT");
        let end = self.place().end;
        if !self.eat_word("NULL") {
            return Err(self.unexpected("NULL, or NOT NULL"));
        }
        let start = left.place.start;
        let found = self.node(Kind::Boolean, Shape::IsNull(Box::new(left.node)), start..end)?;
        if is_negated { self.negation(found, start) } else { Ok(found) }
    }

    fn comparison(&mut self, comparison: Comparison, left: Part, right: Part, at: Range<usize>) -> Parsed {
        let (left, right) = meet(left, right);
        self.comparable(&left, &right, at.start)?;
        let is_ordering = !matches!(comparison, Comparison::Equal | Comparison::Unequal);
        if is_ordering && left.node.kind == Kind::Boolean {
            return Err(ExpressionFault::new(
                at.start,
                format!("booleans have no order, so `{}` does not hold for them", comparison.sign()),
            )
            .with_hint("compare them with = or <>"));
        }
        let place = left.place.start..right.place.end;
        self.node(Kind::Boolean, Shape::Compare(comparison, Box::new(left.node), Box::new(right.node)), place)
    }

    fn between(&mut self, left: Part, at: Range<usize>) -> Parsed {
        let low = self.sum()?;
        if !self.eat_word("AND") {
            return Err(self.unexpected("AND and the upper end"));
        }
        let high = self.sum()?;
        let (left, low) = meet(left, low);
        let (left, high) = meet(left, high);
        // A literal that met a float only at its upper end has to meet the lower one again.
        let (left, low) = meet(left, low);
        self.comparable(&left, &low, at.start)?;
        self.comparable(&left, &high, at.start)?;
        if left.node.kind == Kind::Boolean {
            return Err(ExpressionFault::new(at.start, "booleans have no order, so nothing is between them"));
        }
        let place = left.place.start..high.place.end;
        self.node(
            Kind::Boolean,
            Shape::Between(Box::new(left.node), Box::new(low.node), Box::new(high.node)),
            place,
        )
    }

    fn is_in(&mut self, left: Part) -> Parsed {
        let at = self.place().start;
        self.want_sign("(")?;
        let mut items: Vec<Node> = Vec::new();
        loop {
            let item = self.sign()?;
            if !is_literal(&item.node) {
                return Err(ExpressionFault::new(item.place.start, format!("{} is no literal", self.shown(&item)))
                    .with_hint("a list holds numbers, texts, dates and times as they are; join other comparisons with OR"));
            }
            // It was counted as a node; a list is bounded by its bytes.
            self.nodes = self.nodes.saturating_sub(1);
            let item = adopt(item, left.node.kind);
            self.comparable(&left, &item, item.place.start)?;
            items.push(item.node);
            if !self.eat_sign(",") {
                break;
            }
        }
        let end = self.place().end;
        self.want_sign(")")?;
        if left.node.kind == Kind::Boolean {
            return Err(ExpressionFault::new(at, "a boolean is not looked up in a list")
                .with_hint("write it alone, or with NOT"));
        }
        items.sort_by(order);
        items.dedup_by(|a, b| order(a, b).is_eq());
        let members = members(left.node.kind, &items);
        let start = left.place.start;
        self.node(Kind::Boolean, Shape::In(Box::new(left.node), items, members), start..end)
    }

    fn sum(&mut self) -> Parsed {
        let mut left = self.product()?;
        loop {
            let at = self.place().start;
            let operation = match self.peek() {
                Token::Sign("+") => Operation::Add,
                Token::Sign("-") => Operation::Subtract,
                _ => return Ok(left),
            };
            self.next();
            let right = self.product()?;
            left = self.computation(operation, left, right, at)?;
        }
    }

    fn product(&mut self) -> Parsed {
        let mut left = self.sign()?;
        loop {
            let at = self.place().start;
            if !self.eat_sign("*") {
                return Ok(left);
            }
            let right = self.sign()?;
            left = self.computation(Operation::Multiply, left, right, at)?;
        }
    }

    fn computation(&mut self, operation: Operation, left: Part, right: Part, at: usize) -> Parsed {
        let (left, right) = meet(left, right);
        let kind = match (left.node.kind, right.node.kind) {
            (Kind::Number { scale: a }, Kind::Number { scale: b }) => Kind::Number {
                scale: if operation == Operation::Multiply {
                    self.product_scale(a, b, at)?
                } else {
                    a.max(b)
                },
            },
            (a, b) if a.is_float() && b.is_float() => Kind::Float64,
            _ => return Err(self.no_numbers(operation, &left, &right, at)),
        };
        let place = left.place.start..right.place.end;
        self.node(kind, Shape::Compute(operation, Box::new(left.node), Box::new(right.node)), place)
    }

    fn product_scale(&self, left: u8, right: u8, at: usize) -> Result<u8, ExpressionFault> {
        let scale = left.saturating_add(right);
        if usize::from(scale) > literal::DIGITS_MAX {
            let message = format!(
                "a product of {left} and {right} decimal places has {scale}, and at most {} are exact",
                literal::DIGITS_MAX
            );
            return Err(ExpressionFault::new(at, message));
        }
        Ok(scale)
    }

    fn no_numbers(&self, operation: Operation, left: &Part, right: &Part, at: usize) -> ExpressionFault {
        let message = format!(
            "`{}` takes two exact numbers or two floats, and {} is {}, {} is {}",
            operation.sign(),
            self.shown(left),
            left.node.kind.name(),
            self.shown(right),
            right.node.kind.name()
        );
        ExpressionFault::new(at, message).with_hint(
            "dates and times are compared, not computed with; give both columns one kind of number",
        )
    }

    fn sign(&mut self) -> Parsed {
        let start = self.place().start;
        if !self.eat_sign("-") {
            return self.operand();
        }
        let inner = self.nested(Self::sign)?;
        let place = start..inner.place.end;
        match (&inner.node.shape, inner.node.kind) {
            (Shape::Exact(value), kind @ Kind::Number { .. }) => {
                let shape = Shape::Exact(value.checked_neg().unwrap_or_default());
                Ok(Part { node: Node { kind, shape }, place })
            }
            (_, kind) if kind.is_number() || kind.is_float() => {
                self.node(kind, Shape::Negate(Box::new(inner.node)), place)
            }
            (_, kind) => Err(ExpressionFault::new(
                start,
                format!("`-` takes a number, and {} is {}", self.shown(&inner), kind.name()),
            )),
        }
    }

    fn operand(&mut self) -> Parsed {
        let place = self.place();
        match self.next() {
            Token::Number(text) => self.number(text, place),
            Token::Text(text) => self.node(Kind::Text, Shape::Text(text.clone()), place),
            Token::Name(name) => self.column(name, place),
            Token::Word(word) => self.word(word, place),
            Token::Sign("(") => {
                let inner = self.nested(Self::any)?;
                let end = self.place().end;
                self.want_sign(")")?;
                Ok(Part { node: inner.node, place: place.start..end })
            }
            _ => Err(self.unexpected_at(place, "a column, a literal or a bracket")),
        }
    }

    fn number(&mut self, text: &str, place: Range<usize>) -> Parsed {
        let Some((digits, scale)) = literal::number(text) else {
            let message = format!("the number has more than {} digits", literal::DIGITS_MAX);
            return Err(ExpressionFault::new(place.start, message));
        };
        self.node(Kind::Number { scale }, Shape::Exact(digits), place)
    }

    fn word(&mut self, word: &str, place: Range<usize>) -> Parsed {
        let lower = word.to_ascii_lowercase();
        if let (Token::Text(text), "date" | "time" | "timestamp") = (self.peek(), lower.as_str()) {
            return self.moment(&lower, text, place);
        }
        if *self.peek() == Token::Sign("(") && !is_reserved(word) {
            return self.function(&lower, place);
        }
        match lower.as_str() {
            "true" | "false" => self.node(Kind::Boolean, Shape::Truth(lower == "true"), place),
            "null" => Err(ExpressionFault::new(place.start, "nothing equals NULL, not even NULL")
                .with_hint("ask `… IS NULL` or `… IS NOT NULL`")),
            _ if is_reserved(word) => Err(self
                .unexpected_at(place, "a column, a literal or a bracket")
                .with_hint(format!("a column of this name stands in quotes: \"{word}\""))),
            _ => self.column(word, place),
        }
    }

    fn moment(&mut self, what: &str, text: &str, place: Range<usize>) -> Parsed {
        let whole = place.start..self.place().end;
        self.next();
        let (found, form) = match what {
            "date" => (literal::date(text).map(|days| (days, Kind::Date)), "2024-01-31"),
            "time" => {
                (literal::time(text).map(|(value, scale)| (value, Kind::Time { scale })), "23:59:59.999")
            }
            _ => (literal::timestamp(text), "2024-01-31T23:59:59.999Z"),
        };
        let Some((value, kind)) = found else {
            let message = format!("`{}` is no {what}", GuestText::new(text, 64));
            let zone = if what == "timestamp" { ", with Z for UTC or without for no zone" } else { "" };
            return Err(ExpressionFault::new(whole.start, message)
                .with_hint(format!("write it as `{what} '{form}'`{zone}")));
        };
        self.node(kind, Shape::Exact(value), whole)
    }

    fn column(&mut self, name: &str, place: Range<usize>) -> Parsed {
        let found = self.columns.iter().position(|column| column.name == name);
        let Some((at, column)) = found.and_then(|at| Some((at, self.columns.get(at)?))) else {
            return Err(self.no_column(name, place.start));
        };
        let known = self.used.iter().position(|used| *used == at);
        if known.is_none() {
            self.used.push(at);
        }
        let shape = Shape::Column(known.unwrap_or(self.used.len().saturating_sub(1)));
        self.node(Kind::of(&column.data_type), shape, place)
    }

    fn no_column(&self, name: &str, offset: usize) -> ExpressionFault {
        let fault =
            ExpressionFault::new(offset, format!("no column is called `{}`", GuestText::new(name, 64)));
        if name.eq_ignore_ascii_case("like") {
            return fault.with_hint("give the column a `pattern` instead");
        }
        let names = self.columns.iter().map(|column| column.name.as_str());
        match nearest(name, names) {
            Some(near) => fault.with_hint(format!("did you mean `{}`?", GuestText::new(near, 64))),
            None => fault.with_hint("texts stand in 'single quotes', columns are those of the table"),
        }
    }

    fn function(&mut self, name: &str, place: Range<usize>) -> Parsed {
        let start = place.start;
        if !FUNCTIONS.contains(&name) {
            let fault =
                ExpressionFault::new(start, format!("no function is called `{}`", GuestText::new(name, 64)));
            return Err(match nearest(name, FUNCTIONS.into_iter()) {
                Some(near) => fault.with_hint(format!("did you mean `{near}`?")),
                None => fault.with_hint("there are abs, coalesce and length"),
            });
        }
        let parts = self.nested(Self::arguments)?;
        let place = start..self.last_end(place.end);
        match name {
            "coalesce" => self.coalesce(parts, place),
            "abs" => self.absolute(self.one(parts, name, start)?, place),
            _ => self.length(self.one(parts, name, start)?, place),
        }
    }

    fn arguments(&mut self) -> Result<Vec<Part>, ExpressionFault> {
        self.want_sign("(")?;
        let mut parts = vec![self.any()?];
        while self.eat_sign(",") {
            parts.push(self.any()?);
        }
        self.want_sign(")")?;
        Ok(parts)
    }

    fn one(&self, parts: Vec<Part>, name: &str, start: usize) -> Parsed {
        let given = parts.len();
        match <[Part; 1]>::try_from(parts) {
            Ok([part]) => Ok(part),
            Err(_) => {
                Err(ExpressionFault::new(start, format!("{name} takes one value, and {given} are given")))
            }
        }
    }

    fn absolute(&mut self, inner: Part, place: Range<usize>) -> Parsed {
        let kind = inner.node.kind;
        if !kind.is_number() && !kind.is_float() {
            let message = format!("abs takes a number, and {} is {}", self.shown(&inner), kind.name());
            return Err(ExpressionFault::new(inner.place.start, message));
        }
        self.node(kind, Shape::Absolute(Box::new(inner.node)), place)
    }

    fn length(&mut self, inner: Part, place: Range<usize>) -> Parsed {
        let kind = inner.node.kind;
        if !matches!(kind, Kind::Text | Kind::Binary) {
            let message =
                format!("length takes a text or a binary, and {} is {}", self.shown(&inner), kind.name());
            return Err(ExpressionFault::new(inner.place.start, message));
        }
        self.node(Kind::Number { scale: 0 }, Shape::Length(Box::new(inner.node)), place)
    }

    fn coalesce(&mut self, parts: Vec<Part>, place: Range<usize>) -> Parsed {
        if parts.len() < 2 {
            return Err(ExpressionFault::new(
                place.start,
                "coalesce takes two values or more, and 1 is given",
            ));
        }
        let float = parts
            .iter()
            .map(|part| part.node.kind)
            .filter(|kind| kind.is_float())
            .reduce(|a, b| a.join(b).unwrap_or(a));
        let mut all: Option<Kind> = None;
        let mut nodes = Vec::new();
        let first_shown = parts.first().map(|first| self.shown(first)).unwrap_or_default();
        for part in parts {
            let part = if let Some(float) = float { adopt(part, float) } else { part };
            let joined = all
                .map_or(Some(part.node.kind), |all| all.join(part.node.kind))
                .filter(|kind| *kind != Kind::Opaque);
            let Some(joined) = joined else {
                let before = all.unwrap_or(part.node.kind).name();
                return Err(self.apart(
                    &first_shown,
                    before,
                    &part,
                    part.place.start,
                    "stand in one coalesce",
                ));
            };
            all = Some(joined);
            nodes.push(part.node);
        }
        self.node(all.unwrap_or(Kind::Opaque), Shape::Coalesce(nodes), place)
    }

    fn comparable(&self, left: &Part, right: &Part, at: usize) -> Result<(), ExpressionFault> {
        if left.node.kind.join(right.node.kind).is_some() {
            return Ok(());
        }
        Err(self.apart(&self.shown(left), left.node.kind.name(), right, at, "be compared"))
    }

    /// Two parts that have nothing in common.
    fn apart(&self, left: &str, left_name: &str, right: &Part, at: usize, what: &str) -> ExpressionFault {
        let right_name = right.node.kind.name();
        let message =
            format!("{left} is {left_name} and {} is {right_name}: they cannot {what}", self.shown(right));
        let fault = ExpressionFault::new(at, message);
        match (left_name, right_name) {
            ("a text", name) | (name, "a text") if name.starts_with("a timestamp") => {
                fault.with_hint("write timestamp '2024-01-31T00:00:00Z', without Z for one that has no zone")
            }
            ("a text", "a date") | ("a date", "a text") => fault.with_hint("write date '2024-01-31'"),
            ("a text", "a time of day") | ("a time of day", "a text") => {
                fault.with_hint("write time '23:59:59'")
            }
            ("a text", _) | (_, "a text") => fault.with_hint(
                "texts stand in 'single quotes', numbers in none, columns in \"double quotes\" or none",
            ),
            ("a float", _) | (_, "a float") => fault
                .with_hint("a float is compared with floats and with literals; declare both columns alike"),
            _ => fault.with_hint("values are compared with their own kind only: declare both columns alike"),
        }
    }

    fn boolean(&self, part: &Part, what: &str) -> Result<(), ExpressionFault> {
        if part.node.kind == Kind::Boolean {
            return Ok(());
        }
        let message = format!(
            "{what} takes what is true or false, and {} is {}",
            self.shown(part),
            part.node.kind.name()
        );
        Err(ExpressionFault::new(part.place.start, message)
            .with_hint("compare it with something: `quantity > 0`"))
    }

    fn node(&mut self, kind: Kind, shape: Shape, place: Range<usize>) -> Parsed {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > EXPRESSION_NODES_MAX {
            let message =
                format!("the rule has more than {EXPRESSION_NODES_MAX} operators, columns and literals");
            return Err(ExpressionFault::new(place.start, message)
                .with_hint("make two rules of it: rows must meet all of them"));
        }
        Ok(Part { node: Node { kind, shape }, place })
    }

    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, ExpressionFault>,
    ) -> Result<T, ExpressionFault> {
        if self.depth >= EXPRESSION_DEPTH_MAX {
            let message = format!("the rule is nested deeper than {EXPRESSION_DEPTH_MAX}");
            return Err(ExpressionFault::new(self.place().start, message)
                .with_hint("make two rules of it, or take brackets out"));
        }
        self.depth = self.depth.saturating_add(1);
        let read = read(self)?;
        self.depth = self.depth.saturating_sub(1);
        Ok(read)
    }

    fn shown(&self, part: &Part) -> String {
        format!("`{}`", GuestText::new(self.text.get(part.place.clone()).unwrap_or_default(), 64))
    }

    fn unexpected(&self, wanted: &str) -> ExpressionFault {
        self.unexpected_at(self.place(), wanted)
    }

    fn unexpected_at(&self, place: Range<usize>, wanted: &str) -> ExpressionFault {
        let found = self.text.get(place.clone()).unwrap_or_default();
        let found =
            if found.is_empty() { "the end".to_owned() } else { format!("`{}`", GuestText::new(found, 64)) };
        let fault = ExpressionFault::new(place.start, format!("expected {wanted}, found {found}"));
        if found.eq_ignore_ascii_case("`like`") {
            fault.with_hint("give the column a `pattern` instead")
        } else {
            fault
        }
    }

    fn peek(&self) -> &'a Token {
        self.tokens.first().map_or(&Token::End, |(token, _)| token)
    }

    fn place(&self) -> Range<usize> {
        self.tokens.first().map_or(self.text.len()..self.text.len(), |(_, place)| place.clone())
    }

    /// Where the token before the next one ends.
    fn last_end(&self, at_least: usize) -> usize {
        let before = self.text.get(..self.place().start).unwrap_or_default();
        before.trim_ascii_end().len().max(at_least)
    }

    fn next(&mut self) -> &'a Token {
        let next = self.peek();
        if let Some((_, rest)) = self.tokens.split_first() {
            self.tokens = rest;
        }
        next
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(next) if next.eq_ignore_ascii_case(word))
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let is_next = self.is_word(word);
        if is_next {
            self.next();
        }
        is_next
    }

    fn eat_sign(&mut self, sign: &'static str) -> bool {
        let is_next = *self.peek() == Token::Sign(sign);
        if is_next {
            self.next();
        }
        is_next
    }

    fn want_sign(&mut self, sign: &'static str) -> Result<(), ExpressionFault> {
        if self.eat_sign(sign) { Ok(()) } else { Err(self.unexpected(&format!("`{sign}`"))) }
    }

    fn comparison_ahead(&self) -> Option<Comparison> {
        Comparison::ALL.into_iter().find(|comparison| *self.peek() == Token::Sign(comparison.sign()))
    }

    fn eat_comparison(&mut self) -> Option<Comparison> {
        let comparison = self.comparison_ahead()?;
        self.next();
        Some(comparison)
    }
}

fn is_literal(node: &Node) -> bool {
    matches!(node.shape, Shape::Exact(_) | Shape::Float { .. } | Shape::Text(_) | Shape::Truth(_))
}

/// Lets a number literal become a float where it meets one.
fn meet(left: Part, right: Part) -> (Part, Part) {
    let (left_kind, right_kind) = (left.node.kind, right.node.kind);
    (adopt(left, right_kind), adopt(right, left_kind))
}

/// Makes a float of a number literal where a float is wanted: the nearest one, as where a text is read as a float.
fn adopt(part: Part, wanted: Kind) -> Part {
    let (Shape::Exact(digits), Kind::Number { scale }) = (&part.node.shape, part.node.kind) else {
        return part;
    };
    let text = literal::number_text(*digits, scale);
    let value = match wanted {
        Kind::Float32 => text.parse::<f32>().map(f64::from),
        Kind::Float64 => text.parse::<f64>(),
        _ => return part,
    };
    let Ok(value) = value else { return part };
    let shape = Shape::Float { value, digits: *digits, scale };
    Part { node: Node { kind: wanted, shape }, place: part.place }
}

/// The order of two literals of one sort.
fn order(left: &Node, right: &Node) -> std::cmp::Ordering {
    match (&left.shape, &right.shape) {
        (Shape::Exact(a), Shape::Exact(b)) => {
            super::cells::compare_exact((*a, left.kind.scale()), (*b, right.kind.scale()))
        }
        (Shape::Float { digits: a, scale: c, .. }, Shape::Float { digits: b, scale: d, .. }) => {
            super::cells::compare_exact((*a, Some(*c)), (*b, Some(*d)))
        }
        (Shape::Text(a), Shape::Text(b)) => a.cmp(b),
        _ => std::cmp::Ordering::Equal,
    }
}

/// Takes of a list what an operand of this kind can be: literals with more decimal places than it has it never equals.
fn members(kind: Kind, items: &[Node]) -> Members {
    let scale = kind.scale().unwrap_or(0);
    if kind.is_float() {
        return Members::Float(
            items
                .iter()
                .filter_map(|item| match item.shape {
                    Shape::Float { value, .. } => Some(value),
                    _ => None,
                })
                .collect(),
        );
    }
    if kind.scale().is_none() {
        return Members::Bytes(
            items
                .iter()
                .filter_map(|item| match &item.shape {
                    Shape::Text(text) => Some(text.clone().into_bytes()),
                    _ => None,
                })
                .collect(),
        );
    }
    Members::Exact(
        items
            .iter()
            .filter_map(|item| {
                let Shape::Exact(value) = item.shape else { return None };
                let more = scale.checked_sub(item.kind.scale()?)?;
                value.checked_mul(10_i128.checked_pow(u32::from(more))?)
            })
            .collect(),
    )
}

/// Most names that a misspelt one is compared with.
const COMPARED_MAX: usize = 64;

/// Returns the name that is most like a word, if one is.
fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    let most = (word.chars().count() / 3).max(1);
    // A name that is longer by more than that is not what was meant, and may be very long.
    let near =
        names.filter(|name| name.len().abs_diff(word.len()) <= most.saturating_mul(4)).take(COMPARED_MAX);
    let near = near.map(|name| (distance(&word.to_lowercase(), &name.to_lowercase()), name));
    near.filter(|(distance, _)| *distance <= most).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// Counts the characters to put in, take out or exchange to make one word of the other.
fn distance(left: &str, right: &str) -> usize {
    let mut costs: Vec<usize> = (0..=right.chars().count()).collect();
    for (row, a) in left.chars().enumerate() {
        let mut diagonal = row;
        let mut before = row.saturating_add(1);
        if let Some(first) = costs.first_mut() {
            *first = before;
        }
        for (cost, b) in costs.iter_mut().skip(1).zip(right.chars()) {
            let exchanged = diagonal.saturating_add(usize::from(a != b));
            diagonal = *cost;
            *cost = exchanged.min(before.saturating_add(1)).min(diagonal.saturating_add(1));
            before = *cost;
        }
    }
    costs.last().copied().unwrap_or_default()
}
