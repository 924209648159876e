//! `#[derive(Row)]`, as `casparian_sdk` shows it. What it means is documented there.
//!
//! It writes a call of `casparian_sdk::table!` and moves a value's fields into the columns that come of it: what a table is
//! stands in one place. What can be refused here is refused here, where the compiler can point to it.

mod expand;
mod names;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes the values of a struct the rows of a table. See `casparian_sdk::column::IntoRow`.
#[proc_macro_derive(Row, attributes(row))]
pub fn derive_row(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
