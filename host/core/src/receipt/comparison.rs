//! Two claims, field by field.

use serde::Serialize;
use serde_json::Value;

/// What two claims have in common and where they differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Fields that agree, by path: `tables.orders.digest`.
    pub same: Vec<String>,
    /// Fields that do not.
    pub different: Vec<Difference>,
}

/// A field of which two claims say something different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its path.
    pub field: String,
    /// What the first claim says; none: it has no such field.
    pub claimed: Option<Value>,
    /// What the second claim says.
    pub found: Option<Value>,
}

impl Comparison {
    /// Goes down objects that both have; anything else is a field. Claims are of one shape, which bounds the depth.
    pub(super) fn walk(&mut self, path: &str, claimed: &Value, found: &Value) {
        let (Value::Object(one), Value::Object(other)) = (claimed, found) else {
            return self.field(path, Some(claimed), Some(found));
        };
        let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match (one.get(name), other.get(name)) {
                (Some(claimed), Some(found)) => self.walk(&path, claimed, found),
                (claimed, found) => self.field(&path, claimed, found),
            }
        }
    }

    fn field(&mut self, path: &str, claimed: Option<&Value>, found: Option<&Value>) {
        if claimed == found {
            self.same.push(path.to_owned());
        } else {
            let (claimed, found) = (claimed.cloned(), found.cloned());
            self.different.push(Difference { field: path.to_owned(), claimed, found });
        }
    }
}
