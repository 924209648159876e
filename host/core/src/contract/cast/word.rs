//! Truth in words: the texts that a contract declares for true and false, and no other.

use super::super::Decoding;
use super::super::verdict::Code;
use super::CannotCast;
use super::cells::bare;

/// The words for true and false.
#[derive(Debug, Clone)]
pub(super) struct Words {
    words: Vec<(Box<str>, bool)>,
}

impl Words {
    /// Takes the words of a decoding. A word for both is refused.
    pub(super) fn new(decoding: &Decoding) -> Result<Self, CannotCast> {
        if let Some(word) = decoding.true_values.iter().find(|word| decoding.false_values.contains(word)) {
            return Err(CannotCast::Decoding { why: format!("{word:?} stands for true and for false") });
        }
        let mean = |words: &[String], truth| -> Vec<(Box<str>, bool)> {
            words.iter().map(|word| (word.as_str().into(), truth)).collect()
        };
        Ok(Self { words: [mean(&decoding.true_values, true), mean(&decoding.false_values, false)].concat() })
    }

    #[inline]
    pub(super) fn read(&self, text: &str) -> Result<bool, Code> {
        match self.words.iter().find(|(word, _)| **word == *text) {
            Some((_, truth)) => Ok(*truth),
            None => Err(self.code(text)),
        }
    }

    /// A declared word in other letters or among white space would be read, and written otherwise.
    #[cold]
    fn code(&self, text: &str) -> Code {
        let text = bare(text);
        match self.words.iter().any(|(word, _)| word.trim().eq_ignore_ascii_case(text)) {
            true => Code::Lossy,
            false => Code::Unparseable,
        }
    }
}
