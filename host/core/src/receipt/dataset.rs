//! The receipt of a dataset: what many inputs of one parser came to, claimed over the claims of each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::canonical;
use super::{
    Asked, CodeCache, Comparison, ComponentClaim, ContractClaim, FileCircumstances, OptionsClaim,
    ReceiptFault,
};
use crate::contract::verdict::Code;
use crate::id::{Digest, FieldHasher, TableName};
use crate::isolate::OnTrap;
use crate::limits::Limits;

/// What a dataset's receipt says that it is.
pub const KIND: &str = "dataset";

/// What the run over many inputs leaves beside its output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetReceipt {
    /// [`super::FORMAT_VERSION`].
    pub format_version: u32,
    /// [`KIND`].
    pub kind: String,
    /// What reproduces.
    pub claim: DatasetClaim,
    /// SHA-256 of the claim as canonical JSON (RFC 8785).
    pub claim_sha256: Digest,
    /// What may differ the next time.
    pub circumstances: DatasetCircumstances,
}

/// What the run over many inputs claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetClaim {
    /// The parser.
    pub component: ComponentClaim,
    /// The contract; none: the schema that the parser declares.
    pub contract: Option<ContractClaim>,
    /// What the parser was told.
    pub options: OptionsClaim,
    /// What was asked for.
    pub asked: Asked,
    /// The inputs.
    pub inputs: InputsClaim,
    /// Rows of each table, all inputs together that were not held and did not fail.
    pub tables: BTreeMap<TableName, RowsClaim>,
    /// The columns that tables were united to; none: all inputs had the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<BTreeMap<TableName, Vec<ColumnClaim>>>,
    /// What is in quarantine.
    pub quarantine: HeldClaim,
    /// Records of the inputs that did not fail.
    pub records: u64,
}

/// The inputs of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputsClaim {
    /// Of which every record met the contract.
    pub completed: u64,
    /// That left something in quarantine.
    pub completed_with_quarantine: u64,
    /// Whose verdict is no: none of their rows is in a table.
    pub held: u64,
    /// That failed: nothing of them is anywhere.
    pub failed: u64,
    /// Bytes of the inputs that did not fail.
    pub bytes: u64,
    /// The digest of what each came to, in their order: [`InputsDigest`].
    pub sha256: Digest,
}

/// Rows of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowsClaim {
    /// Rows that met the contract.
    pub accepted: u64,
    /// Rows in quarantine.
    pub quarantined: u64,
}

/// A column of a table that several inputs were united to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnClaim {
    /// Its name.
    pub name: String,
    /// The words for its type, as Arrow has them.
    pub r#type: String,
    /// Whether it may be null: some input lacks it, or says so.
    pub nullable: bool,
}

/// The quarantine of a dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldClaim {
    /// Rows, and records that could not be read.
    pub rows: u64,
    /// Rows by reason code.
    pub by_code: BTreeMap<Code, u64>,
}

/// What the run over many inputs came about under.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetCircumstances {
    /// The version of the host.
    pub host_version: String,
    /// The engine that ran the parser, with its version.
    pub engine: String,
    /// The least that stood between the parser and the machine for any of the inputs.
    pub isolation: String,
    /// What was missing of it, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub isolation_missing: Vec<String>,
    /// Where the contract came from; none: there was none.
    pub contract_origin: Option<String>,
    /// Workers side by side.
    pub jobs: u64,
    /// Every bound of each run.
    pub limits: Limits,
    /// How its tables are written.
    pub format: String,
    /// What was to be done where the parser traps; none in early receipts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_trap: Option<OnTrap>,
    /// Whether compiled code was at hand.
    pub code_cache: CodeCache,
    /// Time from the first look at the inputs to the writing of the receipt.
    pub wall_ms: u64,
    /// The files beside the receipt.
    pub files: Vec<FileCircumstances>,
}

/// The digest of what inputs came to, in their order.
pub struct InputsDigest {
    hasher: FieldHasher,
    count: u64,
}

impl Default for InputsDigest {
    fn default() -> Self {
        Self { hasher: FieldHasher::new("casparian:dataset-inputs:1"), count: 0 }
    }
}

impl InputsDigest {
    /// Adds an input: its digest, the digest of its claim, and the word for how it ended. One that could not be read has no
    /// digest, one that failed has no claim.
    pub fn add(&mut self, input: Option<Digest>, claim: Option<Digest>, status: &str) {
        let field = |hasher: FieldHasher, digest: Option<Digest>| {
            hasher.field(digest.as_ref().map_or(&[][..], |digest| digest.as_bytes()))
        };
        let hasher = field(field(std::mem::take(&mut self.hasher), input), claim);
        self.hasher = hasher.field(status.as_bytes());
        self.count += 1;
    }

    /// Returns the digest of the inputs added.
    pub fn finish(self) -> Digest {
        self.hasher.number(self.count).finish()
    }
}

impl DatasetReceipt {
    /// Makes the receipt of a claim.
    pub fn new(claim: DatasetClaim, circumstances: DatasetCircumstances) -> Result<Self, serde_json::Error> {
        let claim_sha256 = claim.hash()?;
        Ok(Self {
            format_version: super::FORMAT_VERSION,
            kind: KIND.to_owned(),
            claim,
            claim_sha256,
            circumstances,
        })
    }

    /// Reads a receipt, and checks that its claim is the one that its digest was taken of.
    pub fn read(text: &str) -> Result<Self, ReceiptFault> {
        let receipt: Self = serde_json::from_value(super::json::read(text)?)?;
        if receipt.format_version != super::FORMAT_VERSION {
            return Err(ReceiptFault::Version { found: u64::from(receipt.format_version) });
        }
        let found = receipt.claim.hash()?;
        match found == receipt.claim_sha256 {
            true => Ok(receipt),
            false => Err(ReceiptFault::Hash { claimed: receipt.claim_sha256, found }),
        }
    }

    /// Returns the text of its file.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        super::page(self)
    }
}

impl DatasetClaim {
    /// Returns the digest of the claim: SHA-256 of its canonical JSON.
    pub fn hash(&self) -> Result<Digest, serde_json::Error> {
        canonical::digest(self)
    }

    /// Compares two claims field by field, the first being the one that was made before.
    pub fn compare(&self, again: &Self) -> Result<Comparison, serde_json::Error> {
        let mut comparison = Comparison::default();
        comparison.walk("", &serde_json::to_value(self)?, &serde_json::to_value(again)?);
        Ok(comparison)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(inputs: &[(&str, Option<&str>, &str)]) -> Digest {
        let mut digest = InputsDigest::default();
        for (input, claim, status) in inputs {
            let of = |text: &str| Digest::of(text.as_bytes());
            digest.add(Some(of(input)), claim.map(of), status);
        }
        digest.finish()
    }

    #[test]
    fn the_order_of_inputs_their_claims_and_their_ends_are_in_the_digest() {
        let (a, b) = (("a", Some("1"), "completed"), ("b", Some("2"), "completed"));
        let all = [
            digest(&[a, b]),
            digest(&[b, a]),
            digest(&[a]),
            digest(&[]),
            digest(&[a, ("b", Some("3"), "completed")]),
            digest(&[a, ("b", Some("2"), "held")]),
            digest(&[a, ("b", None, "failed")]),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(digest(&[a, b]), all[0]);
    }
}
